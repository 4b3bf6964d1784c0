"""Targets: class labels and numbers to predict."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...functional.scaling import Scaling, scale_columns, standard_scaling, unscale_columns
from .table import Table, shown

_FEW = 20


class ClassLabels:
    """Class indices from a column of labels.

    The classes are those of all rows, not of the training rows alone, so that each keeps its
    index however the rows are split; in the order of numbers where all are numbers, else sorted.

    Attributes:
        names: Of the classes, by index.

    Example:
        >>> table = Table({"grade": np.array([10, 9, 10])}, "the columns")
        >>> labels = ClassLabels()
        >>> labels.fit(table, ["grade"])
        >>> labels.names, labels.encode(table, ["grade"]).tolist()
        (['9', '10'], [1, 0, 1])
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def fit(self, table: Table, targets: Sequence[str]) -> None:
        """Collect the classes of all rows.

        Raises:
            ValueError: If there is one class, or labels look like measurements.
        """
        (target,) = targets
        found = {text for text in table.texts(target) if text is not None}
        numbers = {text: _number(text) for text in found}
        if None in numbers.values():
            self.names = sorted(found)
        else:
            self.names = sorted(found, key=lambda text: (numbers[text], text))
            fractions = sum(not number.is_integer() for number in numbers.values() if number)
            if fractions and len(found) > max(_FEW, len(table) // 2):
                raise ValueError(
                    f"Expected classes in the target {target!r}, but {table.source} has "
                    f"{len(found)} numbers there, such as {shown(self.names[:3])}. Use "
                    f"`task='regression'`."
                )
        if len(found) < 2:
            raise ValueError(
                f"Expected at least 2 classes in the target {target!r}, but {table.source} has "
                f"{shown(self.names) or 'none'}."
            )

    def encode(self, table: Table, targets: Sequence[str]) -> Tensor:
        """Class index of each row.

        Returns:
            Tensor of shape ``(N,)``, int64.

        Raises:
            ValueError: If a label is missing or none of the classes.
        """
        (target,) = targets
        numbers = {name: index for index, name in enumerate(self.names)}
        texts = table.texts(target)
        indices = torch.tensor([numbers.get(text, -1) for text in texts], dtype=torch.int64)
        if (indices < 0).any():
            row = int((indices < 0).nonzero()[0])
            found = "none" if texts[row] is None else repr(texts[row])
            raise ValueError(
                f"Expected one of the classes {shown(self.names)} in the target {target!r}, but "
                f"{table.place(row)} has {found}. Mend it or leave out that row."
            )
        return indices

    def state_dict(self) -> dict[str, Any]:
        """The classes."""
        return {"names": list(self.names)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the classes of a checkpoint."""
        self.names = list(state["names"])


class TargetNumbers:
    """Numbers to predict, standardised by the training rows where asked for.

    Args:
        standardize: Whether targets get mean 0 and deviation 1; else they stay as they are.

    Example:
        >>> table = Table({"price": np.array([100.0, 300.0])}, "the columns")
        >>> targets = TargetNumbers(standardize=True)
        >>> targets.fit(table, ["price"], np.array([0, 1]))
        >>> targets.encode(table, ["price"])
        tensor([-1.,  1.])
        >>> targets.decode(torch.tensor([[0.5]]))
        tensor([[250.]])
    """

    def __init__(self, *, standardize: bool = False) -> None:
        self.standardize = standardize
        self.scaling = Scaling(torch.zeros(1).double(), torch.ones(1).double())

    @property
    def count(self) -> int:
        """Number of targets."""
        return len(self.scaling.center)

    def fit(self, table: Table, targets: Sequence[str], rows: NDArray[np.int64]) -> None:
        """Measure the training rows.

        Raises:
            ValueError: If a target of any row is missing, infinite or no number.
        """
        numbers = _target_numbers(table, targets)
        zero = numbers.new_zeros(len(targets))
        self.scaling = Scaling(zero, zero + 1)
        if self.standardize:
            self.scaling = standard_scaling(numbers[torch.from_numpy(rows)])

    def encode(self, table: Table, targets: Sequence[str]) -> Tensor:
        """Targets of each row.

        Returns:
            Tensor of shape ``(N,)``, of several targets ``(N, targets)``, float32.

        Raises:
            ValueError: If a target is missing, infinite or no number.
        """
        scaled = scale_columns(_target_numbers(table, targets), self.scaling).float()
        return scaled[:, 0] if len(targets) == 1 else scaled

    def decode(self, predictions: Tensor) -> Tensor:
        """Predictions in the units of the data.

        Args:
            predictions: Shape ``(N,)`` or ``(N, targets)``.

        Returns:
            Tensor of the shape and dtype of ``predictions``.
        """
        scaling = Scaling(*(part.to(predictions.device) for part in self.scaling))
        columns = predictions if predictions.ndim == 2 else predictions[:, None]
        return unscale_columns(columns, scaling).reshape(predictions.shape).to(predictions.dtype)

    def state_dict(self) -> dict[str, Any]:
        """Center and scale."""
        return self.scaling._asdict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the center and scale of a checkpoint."""
        self.scaling = Scaling(state["center"], state["scale"])


def _target_numbers(table: Table, targets: Sequence[str]) -> Tensor:
    numbers = torch.from_numpy(np.stack([table.numbers(name) for name in targets], 1))
    wrong = ~numbers.isfinite()
    if wrong.any():
        row, column = (int(i) for i in wrong.nonzero()[0])
        raise ValueError(
            f"Expected a finite number in the target {targets[column]!r}, but {table.place(row)} "
            f"has {numbers[row, column].item()}. Mend it or leave out that row."
        )
    return numbers


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
