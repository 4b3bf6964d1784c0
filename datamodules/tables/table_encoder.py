"""All columns of a table as one tensor of features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .category_encoder import CategoryEncoder
from .number_encoder import NumberEncoder
from .table import Table, check_several, holds_numbers, shown


class TableEncoder:
    """Encode numbers and categories, fitted to the training rows only.

    Args:
        numbers: Encoder of the numeric columns.
        categories: Encoder of the categorical columns.
        categorical: Numeric columns to treat as categories, by name or position.

    Raises:
        TypeError: If ``categorical`` is one string instead of several.

    Example:
        >>> columns = {"age": np.array([20.0, 40.0]), "sex": np.array(["f", "m"], dtype=object)}
        >>> table = Table(columns, "the columns")
        >>> encoder = TableEncoder(NumberEncoder(), CategoryEncoder())
        >>> encoder.fit(table, ["age", "sex"], np.array([0, 1]))
        >>> encoder.feature_names
        ['age', 'sex=f', 'sex=m']
        >>> encoder.encode(table)
        tensor([[-1.,  1.,  0.],
                [ 1.,  0.,  1.]])
    """

    def __init__(
        self,
        numbers: NumberEncoder,
        categories: CategoryEncoder,
        categorical: Sequence[int | str] = (),
    ) -> None:
        check_several("`categorical`", categorical)
        self.numbers, self.categories = numbers, categories
        self.categorical = list(categorical)

    @property
    def columns(self) -> list[str]:
        """Columns that a table must have: numeric columns, then categorical columns."""
        return [*self.numbers.names, *self.categories.vocabularies]

    @property
    def feature_names(self) -> list[str]:
        """Names of the features that `encode` returns, in order."""
        return self.numbers.feature_names + self.categories.feature_names

    @property
    def feature_columns(self) -> list[int]:
        """Index in `columns` of each feature's column."""
        first = len(self.numbers.names)
        categories = [first + column for column in self.categories.feature_columns]
        return self.numbers.feature_columns + categories

    def fit(self, table: Table, names: Sequence[str], rows: NDArray[np.int64]) -> None:
        """Fit to the training rows.

        Raises:
            ValueError: If a cell does not fit its column.
        """
        categorical = {table.find("`categorical`", name) for name in self.categorical}
        numeric = [
            name for name in names if name not in categorical and holds_numbers(table, name, rows)
        ]
        self.numbers.fit(table, numeric, rows)
        self.categories.fit(table, [name for name in names if name not in numeric], rows)

    def encode(self, table: Table) -> Tensor:
        """Return the features of all rows.

        Returns:
            Tensor of shape ``(N, features)``, float32.

        Raises:
            ValueError: If a column is missing or a cell does not fit its column.
        """
        for name in self.columns:
            table.find("the columns of the training data", name)
        numbers = self.numbers.encode(table).float()
        encoded = torch.cat([numbers, self.categories.encode(table)], 1)
        overflown = ~numbers.isfinite()
        if overflown.any():
            row, column = (int(i) for i in overflown.nonzero()[0])
            raise ValueError(
                f"Expected numbers that single precision can hold, but in "
                f"{shown([self.feature_names[column]])} {table.place(row)} has a larger one. Fix "
                f"it, or scale the column."
            )
        return encoded

    def state_dict(self) -> dict[str, Any]:
        """Return the fitted state as plain values."""
        return {
            "numbers": self.numbers.state_dict(),
            "categories": self.categories.state_dict(),
            "feature_names": self.feature_names,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the fitted state of another encoder.

        Raises:
            ValueError: If the categories were encoded differently.
        """
        self.numbers.load_state_dict(state["numbers"])
        self.categories.load_state_dict(state["categories"])
        if self.feature_names != state["feature_names"]:
            raise ValueError(
                f"Expected the features of the checkpoint, {shown(state['feature_names'])}, but "
                f"got {shown(self.feature_names)}. Use the same `categories` as before."
            )
