"""A table in memory that knows where each of its cells came from."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import repeat
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MAX_NAMES_SHOWN = 12
_WHOLE = re.compile(r"-?\d+\.0+")
_FIX = (
    "Fix it, add it to `missing_values` if it stands for a missing value, or name the column in "
    "`categorical` or `ignore`."
)
_TRUTH = {"true": "True", "false": "False"}


@dataclass(frozen=True)
class Table:
    """Columns of equal length.

    Attributes:
        columns: By name: numbers as they came, whole ones masked where missing; or objects, each a
            string or None if missing.
        source: What the table came from, for messages.
        typed: Whether strings are known not to be numbers; in a csv file they may be.
        lines: Line of the file on which each row begins, if it has lines.
        targets: Columns that were passed as targets, separately from the features.
        numbered: Whether columns had whole numbers for names, which come before positions.
    """

    columns: dict[str, NDArray[Any]]
    source: str
    typed: bool = True
    lines: NDArray[np.int64] | None = None
    targets: tuple[str, ...] = ()
    numbered: bool = False
    _numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def place(self, row: int) -> str:
        """Describe where a row is, for messages."""
        if self.lines is not None:
            return f"line {self.lines[row]} of {self.source}"
        return f"row {row} of {self.source}"

    def find(self, argument: str, name: str | int) -> str:
        """Return the name of the column that an argument refers to.

        Raises:
            ValueError: If there is none.
        """
        names = list(self.columns)
        is_name = name in self.columns or (self.numbered and str(name) in self.columns)
        if isinstance(name, Integral) and not is_name and -len(names) <= name < len(names):
            return names[int(name)]
        if str(name) in self.columns:
            return str(name)
        lowered = {known.lower(): known for known in names}
        nearest = get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.4)
        hint = f" Did you mean {lowered[nearest[0]]!r}?" if nearest else ""
        raise ValueError(
            f"Expected {argument} to be in {self.source}, but there is no column {name!r}, only "
            f"{shown(names)}.{hint}"
        )

    def with_targets(self, targets: dict[str, NDArray[Any]]) -> "Table":
        """Return the table with additional columns of targets.

        Raises:
            ValueError: If they have a different length.
        """
        for name, values in targets.items():
            if len(values) != len(self):
                raise ValueError(
                    f"Expected one value of {name!r} for each of {len(self)} rows of "
                    f"{self.source}, but got {len(values)}."
                )
        return replace(self, columns={**self.columns, **targets}, targets=tuple(targets))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers, NaN where missing.

        Raises:
            ValueError: If a cell is not a number.
        """
        if name not in self._numbers:
            self._numbers[name] = self._as_numbers(name)
        return self._numbers[name]

    def texts(self, name: str) -> NDArray[Any]:
        """Return a column as strings, None where missing; whole numbers without a decimal point.

        Boolean values become ``"True"`` and ``"False"``, in whatever case they are written.

        Raises:
            ValueError: If a cell is neither a string nor a number.
        """
        values = self.columns[name]
        if values.dtype.kind in "ifu":
            found, inverse = np.unique(np.ma.getdata(values), return_inverse=True)
            texts = np.array([number_text(value) for value in found], dtype=object)[inverse]
            texts[np.ma.getmaskarray(values)] = None
            return texts
        if set(map(type, values)) - {str, type(None)} or values.dtype.kind != "O":
            wrong = (row for row, value in enumerate(values) if not isinstance(value, str))
            row = next(row for row in wrong if values[row] is not None)
            raise self._unknown(name, values[row], row)
        # A 2 in one file may be 2.0 in another, where a value is missing, and a true in a file is
        # True in a data frame.
        spellings = {text: _spelling(text) for text in set(values) if text}
        if all(text == spelling for text, spelling in spellings.items()):
            return values
        return np.array([spellings.get(text, text) for text in values], dtype=object)

    def _as_numbers(self, name: str) -> NDArray[np.float64]:
        values = self.columns[name]
        if values.dtype.kind in "ifu":
            return np.ma.filled(values.astype(np.float64), np.nan)
        if values.dtype.kind != "O":
            raise self._unknown(name, values[0], 0)
        try:
            if any(map(_is_joined, values)):
                raise ValueError
            return values.astype(np.float64)
        except (TypeError, ValueError):
            row = next(row for row, value in enumerate(values) if not _is_number(value))
            raise ValueError(
                f"Expected a number in column {name!r}, but {self.place(row)} has "
                f"{values[row]!r}. {_FIX}"
            ) from None

    def _unknown(self, name: str, value: Any, row: int) -> ValueError:
        return ValueError(
            f"Expected numbers or strings in column {name!r}, but {self.place(row)} has {value!r} "
            f"({type(value).__name__}). Convert the column to numbers, or name it in `ignore`."
        )


def check_several(argument: str, values: Any) -> None:
    """Refuse one string where several are meant: its letters would be taken for them.

    Raises:
        TypeError: If it is a string.
    """
    if isinstance(values, str):
        raise TypeError(f"Expected {argument} to be a list, but got {values!r}: use [{values!r}].")


def holds_numbers(table: Table, name: str, rows: NDArray[np.int64]) -> bool:
    """Whether a column is numeric, judged by these rows.

    Raises:
        ValueError: If most cells are numbers and some are not.
    """
    values = table.columns[name]
    if values.dtype.kind != "O":
        return True
    if table.typed:
        return False
    try:
        table.numbers(name)
    except ValueError:
        known = [(row, values[row]) for row in rows if values[row] is not None]
        wrong = [row for row, value in known if not _is_number(value)]
    else:
        return True
    if not wrong:
        return True
    if len(known) > 2 * len(wrong):
        raise ValueError(
            f"Expected a number in column {name!r}, as in {len(known) - len(wrong)} other rows, "
            f"but {table.place(wrong[0])} has {values[wrong[0]]!r}. {_FIX}"
        )
    return False


def number_text(value: float) -> str | None:
    """Format a number, whole ones without a decimal point; None for NaN.

    Example:
        >>> number_text(3.0), number_text(2.5), number_text(float("nan"))
        ('3', '2.5', None)
    """
    if value != value:
        return None
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def number_texts(texts: NDArray[Any], numbers: Mapping[Any, int], other: int) -> Tensor:
    """Map strings to numbers, int64 of shape ``(N,)``; to ``other`` those without a number.

    Example:
        >>> number_texts(np.array(["b", None, "c"], dtype=object), {"b": 1, None: 2}, other=0)
        tensor([1, 2, 0])
    """
    found = map(numbers.get, texts.tolist(), repeat(other))
    return torch.from_numpy(np.fromiter(found, np.int64, len(texts)))


def shown(names: Iterable[str]) -> str:
    """Format names for a message, at most the first dozen.

    Example:
        >>> shown(["a", "b"])
        "'a', 'b'"
    """
    names = list(names)
    more = f" and {len(names) - _MAX_NAMES_SHOWN} more" if len(names) > _MAX_NAMES_SHOWN else ""
    return ", ".join(map(repr, names[:_MAX_NAMES_SHOWN])) + more


def _spelling(text: str) -> str:
    if _WHOLE.fullmatch(text):
        return text.partition(".")[0]
    return _TRUTH.get(text.lower(), text)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return not _is_joined(value)


def _is_joined(value: Any) -> bool:
    """Whether this is a code such as ``"2020_01"``, which Python takes for 202001."""
    return type(value) is str and "_" in value
