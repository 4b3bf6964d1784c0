"""Where a data module's tables come from, and the roles of their columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch

from .reading import MISSING_VALUES, numbers_of, read_table
from .table import Table, check_several, shown

ColumnName = int | str


@dataclass(frozen=True)
class TableSource:
    """Read tables and separate targets from features.

    Attributes:
        target: Column or columns to predict, by name or position; None if the data are a pair of
            features and targets.
        features: Columns to predict from; None uses all others.
        ignore: Columns to leave out.
        delimiter: Separator of the cells of a line in a file; None infers it from the file name.
        missing_values: Strings that stand for a missing value.
        column_names: Names of the columns of an array, or of a file without a header.

    Raises:
        ValueError: If ``delimiter`` is not a single character.
        TypeError: If there is one string instead of several, or a missing value or a column's name
            is not a string.

    Example:
        >>> source = TableSource(target=-1, ignore=["id"])
        >>> table = source.read({"id": [7, 8], "age": [1, 2], "sick": ["no", "yes"]})
        >>> source.targets(table), source.feature_names(table)
        (['sick'], ['age'])
    """

    target: ColumnName | Sequence[ColumnName] | None = None
    features: Sequence[ColumnName] | None = None
    ignore: Sequence[ColumnName] = ()
    delimiter: str | None = None
    missing_values: Sequence[str] = MISSING_VALUES
    column_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for argument in ("features", "ignore", "missing_values", "column_names"):
            check_several(f"`{argument}`", getattr(self, argument))
        names = () if self.column_names is None else self.column_names
        for argument, values in (("missing_values", self.missing_values), ("column_names", names)):
            numbers = [value for value in values if not isinstance(value, str)]
            if numbers:
                raise TypeError(
                    f"Expected `{argument}` to be strings, as they are in a file, but got "
                    f"{numbers[0]!r}: use {str(numbers[0])!r}."
                )
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError(
                f"Expected `delimiter` to be a single character, but got {self.delimiter!r}. In "
                f'YAML, a tab is "\\t" in double quotes.'
            )

    def read(self, data: Any) -> Table:
        """Read data, or a pair of features and targets, which become additional columns."""
        if not isinstance(data, tuple):
            return self._read(data)
        if len(data) != 2:
            raise ValueError(f"Expected a pair of features and targets, but got {len(data)} parts.")
        table = self._read(data[0])
        y = numbers_of(data[1]) if isinstance(data[1], torch.Tensor) else np.asanyarray(data[1])
        columns = y[:, None] if y.ndim == 1 else y
        if columns.ndim != 2:
            raise ValueError(
                f"Expected targets of shape (rows,) or (rows, targets), but got {y.shape}."
            )
        count = columns.shape[1]
        names = ["target"] if count == 1 else [f"target_{i}" for i in range(count)]
        taken = [name for name in names if name in table.columns]
        if taken:
            raise ValueError(
                f"Expected no feature to have the name of a target, but got {shown(taken)}. Leave "
                f"it out, or pass the whole table and `target`."
            )
        return table.with_targets(self._read(dict(zip(names, columns.T, strict=True))).columns)

    def targets(self, table: Table) -> list[str]:
        """Return the names of the columns to predict.

        Raises:
            ValueError: If there is none.
        """
        if (self.target is None) != bool(table.targets):
            raise ValueError(
                f"Expected `target` to name the column to predict, one of {shown(table.columns)}, "
                f"or `data` to be a pair (x, y), but got {'both' if table.targets else 'neither'}."
            )
        if self.target is None:
            return list(table.targets)
        wanted = [self.target] if isinstance(self.target, (int, Integral, str)) else self.target
        return [table.find("`target`", name) for name in wanted]

    def feature_names(self, table: Table) -> list[str]:
        """Return the names of the columns to predict from.

        Raises:
            ValueError: If a column does not exist, or none is left.
        """
        ignored = {table.find("`ignore`", name) for name in self.ignore} | set(self.targets(table))
        wanted = table.columns if self.features is None else self.features
        named = [table.find("`features`", name) for name in wanted]
        left = [name for name in named if name not in ignored]
        if not left:
            raise ValueError(
                f"Expected at least one column of {table.source} to predict from, but `target` and "
                f"`ignore` leave none of {shown(named)}."
            )
        return left

    def _read(self, data: Any) -> Table:
        return read_table(
            data,
            delimiter=self.delimiter,
            missing_values=self.missing_values,
            column_names=self.column_names,
        )
