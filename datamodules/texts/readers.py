"""Read texts from csv, tsv and jsonl files, from folders and from lists."""

import json
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..loading import delimited_rows, visible_entries, visible_files
from .text_source import TextSource, source_of

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")
_Rows = Iterator[tuple[int, dict[str, Any]]]


def read_texts(
    data: Any, *, text_column: str = "text", label_column: str = "label", labelled: bool = True
) -> TextSource:
    """Read texts and, if ``labelled``, their classes.

    Args:
        data: Path of a csv, tsv or jsonl file; of a folder with a folder of ``.txt`` files for
            each class; or a pair ``(texts, labels)`` of lists. Without labels also a folder of
            ``.txt`` files, or a list of texts. In a csv or tsv file, a cell that begins with a
            quote ends with one, and quotes within it are doubled.
        text_column: Column, or key, of the texts in a file.
        label_column: The same for the labels.
        labelled: Whether labels are read.

    Returns:
        Texts in the order of the file, or sorted by path.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        TypeError: If ``data`` is none of these.
        ValueError: If a file cannot be read or something in it is missing.

    Example:
        >>> source = read_texts((["Good.", "Bad."], [1, 0]))
        >>> source.texts, source.labels
        (['Good.', 'Bad.'], ['1', '0'])
    """
    if isinstance(data, str | Path):
        path = Path(data)
        if path.is_dir():
            return _read_folder(path, labelled)
        columns = [text_column, label_column] if labelled else [text_column]
        return _read_file(path, columns)
    return _from_lists(data, labelled)


def _from_lists(data: Any, labelled: bool) -> TextSource:
    if not isinstance(data, Sequence):
        raise TypeError(
            f"Expected the path of a file or folder, or lists, but got {type(data).__name__}."
        )
    is_pair = len(data) == 2 and not any(isinstance(part, str) for part in data)
    if labelled and not is_pair:
        raise TypeError(
            f"Expected a pair `(texts, labels)`, but got a {type(data).__name__} of {len(data)}."
        )
    texts, labels = data if is_pair else (data, None)
    if isinstance(labels, Tensor | np.ndarray):
        labels = labels.tolist()

    return source_of(texts, labels if labelled else None, _place_in_list)


def _read_folder(folder: Path, labelled: bool) -> TextSource:
    # Files directly in a folder of classes have no class.
    classes = (entry for entry in visible_entries(folder) if entry.is_dir())
    parts = classes if labelled else [folder]
    # Sorted, because the order depends on the file system.
    paths = sorted(path for part in parts for path in _text_files(part))
    if not paths:
        wanted = "a folder of .txt files for each class" if labelled else ".txt files"
        raise ValueError(f"Expected {wanted} in {str(folder)!r}, but found none.")
    labels = [path.relative_to(folder).parts[0] for path in paths] if labelled else None
    return source_of([_text(path) for path in paths], labels, partial(_place_in_folder, paths))


def _text_files(folder: Path) -> Iterator[Path]:
    return (path for path in visible_files(folder) if path.suffix.lower() == ".txt")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error


def _read_file(path: Path, columns: list[str]) -> TextSource:
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file or folder, but there is none at {str(path)!r}.")
    read: Callable[[Path, list[str]], _Rows]
    if path.suffix.lower() in _DELIMITERS:
        read = _delimited_rows
    elif path.suffix.lower() in _LINES:
        read = _json_rows
    else:
        raise ValueError(
            f"Expected a .csv, .tsv or .jsonl file or a folder of .txt files, but got "
            f"{path.name!r}."
        )
    lines, cells = [], []
    try:
        for line, row in read(path, columns):
            lines.append(line)
            cells.append([row[column] for column in columns])
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    labels = [row[1] for row in cells] if len(columns) > 1 else None
    place = partial(_place_in_file, path.name, lines)
    return source_of([row[0] for row in cells], labels, place)


def _delimited_rows(path: Path, columns: list[str]) -> _Rows:
    # utf-8-sig skips the byte order mark that spreadsheets write before the first name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = delimited_rows(
            file,
            path.name,
            _DELIMITERS[path.suffix.lower()],
            otherwise="use a .jsonl file",
            literally="use a .jsonl file, or read the texts differently and pass lists",
        )
        header = [name.strip() for name in next(rows, (0, []))[1]]
        _check_delimiter(path, columns, header)
        for column in columns:
            _check_column(column, header, f"the header of {path.name}")
        for line, cells in rows:
            yield line, dict(zip(header, cells, strict=True))


def _json_rows(path: Path, columns: list[str]) -> _Rows:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f"line {number} of {path.name}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:  # also: too many digits, or too deep
                raise ValueError(f"Expected JSON on {place}, but {error}.") from error
            if not isinstance(row, dict):
                raise ValueError(f"Expected a JSON object on {place}, but got {line.strip()[:40]}.")
            for column in columns:
                _check_column(column, list(row), place)
            yield number, row


def _check_column(column: str, names: list[str], place: str) -> None:
    if column not in names:
        nearest = get_close_matches(column, names, n=1, cutoff=0.4)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(
            f"Expected a column {column!r} in {place}, but got only "
            f"{', '.join(map(repr, names)) or 'nothing'}.{hint} Set `text_column` or "
            f"`label_column`."
        )
    if names.count(column) > 1:
        raise ValueError(
            f"Expected one column {column!r} in {place}, but got {names.count(column)}. Rename or "
            f"remove the others."
        )


def _check_delimiter(path: Path, columns: list[str], header: list[str]) -> None:
    delimiter = _DELIMITERS[path.suffix.lower()]
    unsplit = len(header) == 1 and any(sign in header[0] for sign in ",;\t|")
    if unsplit and header[0] not in columns:
        raise ValueError(
            f"Expected the cells of {path.name} to be separated by {delimiter!r}, but its header "
            f"is {header[0]!r}. Save it that way, or read the texts differently and pass lists."
        )


def _not_utf8(path: Path, error: UnicodeDecodeError) -> ValueError:
    return ValueError(f"Expected {str(path)!r} to be text in UTF-8, but {error}. Save it as UTF-8.")


# Where a text came from: no closures, because spawned processes get a data module pickled.


def _place_in_list(row: int) -> str:
    return f"text {row} of the list" if row >= 0 else "the list"


def _place_in_folder(paths: Sequence[Path], row: int) -> str:
    return str(paths[row])


def _place_in_file(name: str, lines: Sequence[int], row: int) -> str:
    return f"line {lines[row]} of {name}" if 0 <= row < len(lines) else name
