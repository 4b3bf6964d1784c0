"""Numeric targets of a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...functional.scaling import Scaling, scale_columns, standard_scaling, unscale_columns
from .table import Table, shown


class TargetNumbers:
    """Numbers to predict, standardised by the training rows on request.

    Args:
        standardize: Whether to scale targets to mean 0 and standard deviation 1.

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
        """Fit to the training rows.

        Raises:
            ValueError: If a target of any row is missing, infinite or not a number, or the scale
                overflows.
        """
        numbers = _target_numbers(table, targets)
        zero = numbers.new_zeros(len(targets))
        self.scaling = Scaling(zero, zero + 1)
        if self.standardize:
            self.scaling = standard_scaling(numbers[torch.from_numpy(rows)])
            if not self.scaling.scale.isfinite().all():
                raise ValueError(
                    f"Expected targets that can be standardised, but those in {shown(targets)} of "
                    f"{table.source} are too large. Fix them, or use other units."
                )

    def encode(self, table: Table, targets: Sequence[str]) -> Tensor:
        """Return the targets of each row.

        Returns:
            Tensor of shape ``(N,)``, for several targets ``(N, targets)``, float32.

        Raises:
            ValueError: If a target is missing, infinite, not a number, or too large.
        """
        numbers = _target_numbers(table, targets)
        scaled = scale_columns(numbers, self.scaling).float()
        overflown = ~scaled.isfinite()
        if overflown.any():
            row, column = (int(i) for i in overflown.nonzero()[0])
            raise ValueError(
                f"Expected numbers that single precision can hold in the target "
                f"{targets[column]!r}, but {table.place(row)} has {numbers[row, column].item()}. "
                f"Fix it, or use other units."
            )
        return scaled[:, 0] if len(targets) == 1 else scaled

    def decode(self, predictions: Tensor) -> Tensor:
        """Convert predictions into the units of the data.

        Args:
            predictions: Shape ``(N,)`` or ``(N, targets)``.

        Returns:
            Tensor of the shape and dtype of ``predictions``.

        Raises:
            ValueError: If there is not one prediction for each target.
        """
        single = self.count == 1 and predictions.ndim == 1
        if not single and (predictions.ndim < 2 or predictions.shape[-1] != self.count):
            raise ValueError(
                f"Expected predictions of shape (N, {self.count}), one for each target, but got "
                f"{tuple(predictions.shape)}."
            )
        scaling = Scaling(*(part.to(predictions.device) for part in self.scaling))
        columns = predictions if predictions.ndim == 2 else predictions[:, None]
        return unscale_columns(columns, scaling).reshape(predictions.shape).to(predictions.dtype)

    def state_dict(self) -> dict[str, Any]:
        """Return center and scale."""
        return {"center": self.scaling.center.tolist(), "scale": self.scaling.scale.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the center and scale of a checkpoint."""
        center, scale = state["center"], state["scale"]
        self.scaling = Scaling(*torch.tensor([center, scale], dtype=torch.float64))


def _target_numbers(table: Table, targets: Sequence[str]) -> Tensor:
    numbers = torch.from_numpy(np.stack([table.numbers(name) for name in targets], 1))
    wrong = ~numbers.isfinite()
    if wrong.any():
        row, column = (int(i) for i in wrong.nonzero()[0])
        raise ValueError(
            f"Expected a finite number in the target {targets[column]!r}, but {table.place(row)} "
            f"has {numbers[row, column].item()}. Fix it or leave out that row."
        )
    return numbers
