"""Class labels of a table."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from .table import Table, number_texts, shown

_FEW_VALUES = 20


class ClassLabels:
    """Class indices from a column of labels.

    The classes are those of all rows, not of the training rows alone, so that each keeps its
    index however the rows are split; in the order of numbers where all are numbers, else sorted.

    Attributes:
        names: Of the classes, by index.

    Example:
        >>> import numpy as np
        >>> table = Table({"grade": np.array([10, 9, 10])}, "the columns")
        >>> labels = ClassLabels()
        >>> labels.fit(table, ["grade"])
        >>> labels.names, labels.encode(table, ["grade"]).tolist()
        (['9', '10'], [1, 0, 1])
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def fit(self, table: Table, targets: Sequence[str]) -> None:
        """Collect the classes of all rows; a warning tells of numbers with fractions.

        Raises:
            ValueError: If there is one class, or labels are numbers that hardly ever repeat.
        """
        (target,) = targets
        found = {text for text in table.texts(target) if text is not None}
        numbers = {text: _number(text) for text in found}
        if None in numbers.values():
            self.names = sorted(found)
        else:
            self.names = sorted(found, key=lambda text: (numbers[text], text))
            fractions = any(not number.is_integer() for number in numbers.values() if number)
            several = f"{len(found)} numbers there, such as {shown(self.names[:3])}"
            if len(found) > max(_FEW_VALUES, len(table) // 2):
                raise ValueError(
                    f"Expected classes in the target {target!r}, but {table.source} has "
                    f"{several}. Use `task='regression'`; of classes give at least two rows each."
                )
            if fractions and len(found) > 1:
                rank_zero_warn(
                    f"Expected classes in the target {target!r}, but {table.source} has "
                    f"{several}. They are taken for {len(found)} classes; use "
                    f"`task='regression'` to predict amounts."
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
        indices = number_texts(texts, numbers, other=-1)
        if (indices < 0).any():
            row = int((indices < 0).nonzero()[0])
            found = "none" if texts[row] is None else repr(texts[row])
            raise ValueError(
                f"Expected one of the classes {shown(self.names)} in the target {target!r}, but "
                f"{table.place(row)} has {found}. Mend it or leave out that row; a class whose "
                f"name is one of `missing_values` needs others."
            )
        return indices

    def state_dict(self) -> dict[str, Any]:
        """The classes."""
        return {"names": list(self.names)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the classes of a checkpoint."""
        self.names = list(state["names"])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
