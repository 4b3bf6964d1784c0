"""Rows of csv and tsv files."""

import csv
import reprlib
from collections.abc import Iterator
from typing import TextIO


def delimited_rows(
    file: TextIO,
    source: str,
    delimiter: str,
    *,
    width: int | None = None,
    otherwise: str,
    literally: str,
) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the line on which each row begins, and its cells; a blank line is not a row.

    Args:
        file: The file, opened with ``newline=""``.
        source: Its name, for messages.
        delimiter: Separator of the cells of a line.
        width: Number of cells in each row; None takes that of the first, the header.
        otherwise: Which other format a very long cell can be read from, for a message.
        literally: How to read quotes as any other character, for a message.

    Raises:
        ValueError: If a row has another number of cells, or a quote is never closed.

    Example:
        >>> from io import StringIO
        >>> file = StringIO('id,text\n1,"two\nlines"\n2,one\n')
        >>> list(delimited_rows(file, "data.csv", ",", otherwise="", literally=""))
        [(1, ['id', 'text']), (2, ['1', 'two\nlines']), (4, ['2', 'one'])]
    """
    # Strict, or a quote that is never closed would silently swallow the rest of the file.
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells:
                width = len(cells) if width is None else width
                if len(cells) != width:
                    raise ValueError(
                        f"Expected {width} cells, one for each column of the header, but line "
                        f"{begin} of {source} has {len(cells)}: {reprlib.repr(cells)[1:-1]}. Fix "
                        "that line; a cell that contains the delimiter must be quoted."
                    )
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        advice = (
            "If a quote that begins in that row is never closed, close it. If a cell is that long, "
            f"{otherwise}, or raise the limit, which is Python's own, with "
            "`csv.field_size_limit(10**9)` before."
            if "field limit" in str(error)
            else "Close the quote that begins in that row, and double each quote within a quoted "
            f"cell. If quotes are literal characters, {literally}."
        )
        raise ValueError(
            f"Expected a row on line {begin} of {source}, but reading failed at line "
            f"{reader.line_num}: {error}. {advice}"
        ) from error
