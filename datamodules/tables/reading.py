"""Read csv and parquet files, data frames and arrays."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from io import TextIOWrapper
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from numpy.typing import NDArray

from ..loading import delimited_rows
from .table import Table, number_text, shown

MISSING_VALUES = ("", "NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?")
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": None, ".data": None}
_ZIPPED = ".gz"
_PARQUET = (".parquet", ".pq")
_INDEX = re.compile(r"__index_level_\d+__")  # the row labels of pandas, which are no column there
_NUMBERS = (Real, Decimal)
_FLOATS = (torch.float16, torch.float32, torch.float64)
_ROWS_OF_A_CHUNK = 256


def read_table(
    data: Any,
    *,
    delimiter: str | None = None,
    missing_values: Sequence[str] = MISSING_VALUES,
    column_names: Sequence[str] | None = None,
) -> Table:
    """Read a table.

    Args:
        data: Path of a csv, tsv (also ``.gz``) or parquet file; a pandas or polars data frame or a
            pyarrow table or batch; a mapping of names to columns; or an array or tensor of shape
            ``(N, C)``. In a csv or tsv file, a cell that begins with a quote ends with one, and
            quotes within it are doubled.
        delimiter: Separator of the cells of a line; None infers it from the file name.
        missing_values: Strings that stand for a missing value; surrounding spaces are ignored.
        column_names: Names of the columns of an array, or of a file without a header.

    Returns:
        The table.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If it is a parquet file and pyarrow is not installed.
        TypeError: If ``data`` is none of these.
        ValueError: If a file cannot be read, or names or lengths do not fit.

    Example:
        >>> table = read_table({"age": [31, None, 8], "town": ["Ulm", "?", " Ulm"]})
        >>> table.numbers("age").tolist(), table.texts("town").tolist()
        ([31.0, nan, 8.0], ['Ulm', None, 'Ulm'])
    """
    missing = frozenset(missing_values)
    match data:
        case Table():
            table = data
        case str() | Path():
            table = _read_file(Path(data), delimiter, missing, column_names)
        case Mapping():
            table = _from_columns(data, data.keys(), "the columns", missing)
        case np.ndarray() | torch.Tensor():
            table = _from_array(data, column_names, missing)
        case _ if type(data).__name__ == "LazyFrame":
            raise TypeError(
                "Expected a data frame, but got a LazyFrame: pass it after `.collect()`."
            )
        case _ if hasattr(data, "__getitem__") and (names := _frame_names(data)) is not None:
            table = _from_columns(data, names, "the data frame", missing)
        case _:
            raise TypeError(
                f"Expected a file's path, a data frame, columns by name or an array of shape "
                f"(rows, columns), but got {type(data).__name__}."
            )
    if not len(table):
        raise ValueError(f"Expected at least one row in {table.source}, but got none.")
    return table


def clean(values: Iterable[Any], missing: frozenset[str] = frozenset(MISSING_VALUES)) -> list[Any]:
    """Return cells as strings, None if missing; other objects than strings and numbers are kept.

    Example:
        >>> clean([" a", "NA", 2.0, None, True])
        ['a', None, '2', None, 'True']
    """
    return [
        (None if (text := value.strip()) in missing else text)
        if isinstance(value, str)
        else _cell(value)
        for value in values
    ]


def _cell(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return str(value)
    if isinstance(value, Integral):
        return str(int(value))  # not by way of a float, where neighbours beyond 2**53 would merge
    if isinstance(value, (float, np.number)):
        return number_text(float(value))
    # The missing values of pandas are equal to nothing.
    return None if value is None or type(value).__name__ in ("NAType", "NaTType") else value


def numbers_of(tensor: torch.Tensor) -> NDArray[Any]:
    """Convert a tensor to an array; low-precision dtypes that NumPy lacks become float32, exactly.

    Example:
        >>> numbers_of(torch.tensor([1.5], dtype=torch.bfloat16))
        array([1.5], dtype=float32)
    """
    lacking = tensor.is_floating_point() and tensor.dtype not in _FLOATS
    return (tensor.float() if lacking else tensor).numpy(force=True)


def _objects(values: Iterable[Any]) -> NDArray[Any]:
    cells = list(values)
    return np.fromiter(cells, dtype=object, count=len(cells))


def _column(values: Any, missing: frozenset[str]) -> NDArray[Any]:
    """Return numbers if a column holds nothing else, dates as they are, else cleaned objects.

    Boolean values become strings, so that a column of them is categorical with and without missing
    values.
    """
    if isinstance(values, np.ma.MaskedArray):
        values = values.tolist()  # None where masked
    array = values if isinstance(values, np.ndarray) else _objects(values)
    if array.ndim > 1:  # several values in each row, which is told only if the column is used
        return _objects(array.tolist())
    if array.dtype.kind in "ifumM":
        return array
    plain = array.tolist()
    kinds = set(map(type, plain))
    if any(kind.__name__ == "NAType" for kind in kinds):
        plain = [None if type(value).__name__ == "NAType" else value for value in plain]
        kinds = set(map(type, plain))
    kinds.discard(type(None))
    if kinds and all(issubclass(kind, _NUMBERS) and not issubclass(kind, bool) for kind in kinds):
        return _number_array(plain)
    return _objects(clean(plain, missing))


def _number_array(values: Sequence[Any]) -> NDArray[Any]:
    """Return whole numbers exactly, masked where missing, and others as floats.

    As categories, ids that a float cannot tell apart must not merge.
    """
    known = [value for value in values if value is not None and value == value]
    if known and all(issubclass(kind, Integral) for kind in set(map(type, known))):
        gaps = [value is None or value != value for value in values]
        filled = [0 if gap else int(value) for value, gap in zip(values, gaps, strict=True)]
        for dtype in (np.int64, np.uint64):
            try:
                numbers = np.array(filled, dtype)
            except OverflowError:
                continue
            return np.ma.array(numbers, mask=gaps) if any(gaps) else numbers
    return np.array([np.nan if value is None else float(value) for value in values])


# Data frames, columns and arrays


def _frame_names(frame: Any) -> list[Any] | None:
    names = getattr(frame, "column_names", None)  # pyarrow, whose `columns` are the data
    names = getattr(frame, "columns", None) if names is None else names
    if names is None:
        return None
    return [name for name in names if not (isinstance(name, str) and _INDEX.fullmatch(name))]


def _from_columns(data: Any, names: Iterable[Any], source: str, missing: frozenset[str]) -> Table:
    names = list(names)
    _check_names([str(name) for name in names], source)
    given = {str(name): data[name] for name in names}
    for name, values in given.items():
        if values is None or isinstance(values, (str, Real)) or getattr(values, "ndim", 1) == 0:
            raise ValueError(
                f"Expected a sequence of values for column {name!r} of {source}, but got "
                f"{values!r}. A single row has columns of one value: [{values!r}]."
            )
    columns = {
        name: _column(_frame_values(cells, missing), missing) for name, cells in given.items()
    }
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected columns of one length, but got {lengths}.")
    numbered = any(isinstance(name, Integral) for name in names)
    return Table(columns, source, numbered=numbered)


def _frame_values(series: Any, missing: frozenset[str]) -> Any:
    if isinstance(series, torch.Tensor):
        return numbers_of(series)
    kind = str(getattr(series, "dtype", getattr(series, "type", "")))
    if kind == "category":  # of pandas: numbers of a categorical column are names, too
        return _objects(clean(series.tolist(), missing))
    if kind.startswith("dictionary"):  # the same of pyarrow
        return _objects(clean(series.to_pylist(), missing))
    if not hasattr(series, "to_numpy"):
        return series
    of_arrow = hasattr(series, "to_pylist")
    array = series.to_numpy(zero_copy_only=False) if of_arrow else series.to_numpy()
    if array.dtype.kind == "f" and "int" in kind.lower():  # rounded, because some are missing
        return series.to_pylist() if of_arrow else series.to_list()
    return array


def _from_array(data: Any, names: Sequence[str] | None, missing: frozenset[str]) -> Table:
    array = numbers_of(data) if isinstance(data, torch.Tensor) else data
    if array.ndim != 2:
        raise ValueError(f"Expected an array of shape (rows, columns), but got {array.shape}.")
    array = array.astype(np.float64) if array.dtype.kind == "b" else array
    names = [f"x{i}" for i in range(array.shape[1])] if names is None else list(names)
    if len(names) != array.shape[1]:
        raise ValueError(
            f"Expected `column_names` to name {array.shape[1]} columns, but got {len(names)}."
        )
    _check_names(names, "the array")
    columns = {name: _column(array[:, i], missing) for i, name in enumerate(names)}
    return Table(columns, "the array", typed=False)


def _check_names(names: Sequence[str], source: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"Expected unique columns in {source}, but got {shown(twice)} repeatedly.")


# Files


def _read_file(
    path: Path, delimiter: str | None, missing: frozenset[str], names: Sequence[str] | None
) -> Table:
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file, but there is none at {str(path)!r}.")
    suffix = path.suffix.lower()
    if suffix in _PARQUET:
        return _read_parquet(path, missing)
    kind = Path(path.stem).suffix.lower() if suffix == _ZIPPED else suffix
    if delimiter is None:
        delimiter = _DELIMITERS.get(kind)
    if delimiter is None:
        raise ValueError(
            f"Expected a .csv, .tsv or .parquet file or a `delimiter`, but got {path.name!r}."
        )
    try:
        with _open_text(path) as file:
            return _read_csv(file, path.name, delimiter, missing, names)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Expected {path.name} to be text in UTF-8, but {error}. Save it as UTF-8."
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"Expected {path.name} to be a whole gzip file, but {error}. Compress or copy it again."
        ) from error


def _open_text(path: Path) -> TextIO:
    # utf-8-sig skips the byte order mark that spreadsheets write before the first name.
    if path.suffix.lower() == _ZIPPED:
        return TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_csv(
    file: TextIO, source: str, delimiter: str, missing: frozenset[str], names: Sequence[str] | None
) -> Table:
    rows = delimited_rows(
        file,
        source,
        delimiter,
        width=None if names is None else len(names),
        otherwise="use a .parquet file or a data frame",
        literally=(
            "read the file as a data frame, in pandas with "
            "`read_csv(..., quoting=csv.QUOTE_NONE)`, and pass that instead"
        ),
    )
    header = next(rows, (0, []))[1] if names is None else names
    header = [name.strip() or f"unnamed_{i}" for i, name in enumerate(header)]
    _check_header(header, source, delimiter)
    # In small chunks of arrays: lists take much memory, and the garbage collector traverses them.
    columns: list[list[NDArray[Any]]] = [[_objects([])] for _ in header]
    lines: list[int] = []
    while chunk := list(islice(rows, _ROWS_OF_A_CHUNK)):
        begins, cells = zip(*chunk, strict=True)
        lines += begins
        for column, texts in zip(columns, zip(*cells, strict=True), strict=True):
            column.append(_objects(clean(texts, missing)))
    whole = {name: np.concatenate(parts) for name, parts in zip(header, columns, strict=True)}
    return Table(whole, source, typed=False, lines=np.array(lines, np.int64))


def _check_header(header: list[str], source: str, delimiter: str) -> None:
    _check_names(header, source)
    other = [sign for sign in ",;\t|" if sign != delimiter and header and sign in header[0]]
    if len(header) == 1 and other:
        raise ValueError(
            f"Expected the cells of {source} to be separated by {delimiter!r}, but its header is "
            f"{header[0]!r}. Use `delimiter={other[0]!r}`."
        )


def _read_parquet(path: Path, missing: frozenset[str]) -> Table:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise ImportError(
            f"Expected pyarrow to be installed, because {path.name} is a parquet file. Install it "
            f"with: pip install 'torchvitals[tables]'"
        ) from error
    try:
        frame = parquet.read_table(path)
    except ArrowInvalid as error:
        raise ValueError(f"Expected {path.name} to be a parquet file, but {error}.") from error
    return _from_columns(frame, _frame_names(frame) or [], path.name, missing)
