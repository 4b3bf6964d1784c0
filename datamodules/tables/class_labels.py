"""Class labels of a table."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from .table import Table, number_texts, shown

_FEW_VALUES = 20


class ClassLabels:
    """Class indices from a column of labels.

    The classes are those of all rows, not of the training rows only, so that each keeps its index
    however the rows are split. They are in numerical order if all are numbers, else sorted.

    Attributes:
        names: Names of the classes, by index.

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
        """Collect the classes of all rows; warn about numbers with fractional parts.

        Raises:
            ValueError: If there is only one class or more than one column, or labels are numbers
                that hardly ever repeat.
        """
        target = _only(targets)
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
                    f"{several}. Use `task='regression'`, or at least two rows of each class."
                )
            if fractions and len(found) > 1:
                rank_zero_warn(
                    f"Expected classes in the target {target!r}, but {table.source} has "
                    f"{several}. They are treated as {len(found)} classes; use "
                    f"`task='regression'` to predict amounts."
                )
        if len(found) < 2:
            raise ValueError(
                f"Expected at least 2 classes in the target {target!r}, but {table.source} has "
                f"{shown(self.names) or 'none'}."
            )

    def encode(self, table: Table, targets: Sequence[str]) -> Tensor:
        """Return the class index of each row.

        Returns:
            Tensor of shape ``(N,)``, int64.

        Raises:
            ValueError: If a label is missing or not one of the classes.
        """
        target = _only(targets)
        numbers = {name: index for index, name in enumerate(self.names)}
        texts = table.texts(target)
        indices = number_texts(texts, numbers, other=-1)
        if (indices < 0).any():
            row = int((indices < 0).nonzero()[0])
            found = "none" if texts[row] is None else repr(texts[row])
            raise ValueError(
                f"Expected one of the classes {shown(self.names)} in the target {target!r}, but "
                f"{table.place(row)} has {found}. Fix it or leave out that row; if a class has "
                f"the name of a missing value, change `missing_values`."
            )
        return indices

    def state_dict(self) -> dict[str, Any]:
        """Return the classes."""
        return {"names": list(self.names)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the classes of a checkpoint."""
        self.names = list(state["names"])


def _only(targets: Sequence[str]) -> str:
    if len(targets) != 1:
        raise ValueError(
            f"Expected one target for `task='classification'`, but got {shown(targets)}. Use "
            f"`task='regression'`, or one column of classes: for one-hot labels, `y.argmax(1)`."
        )
    return targets[0]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
