"""A table of what was found, for a terminal of any width and encoding."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

# The longest name of a problem, and "since step 1,000,000": a layer's name may be any length, and
# what to do about it needs the room more.
_MAX_WIDTH_OF_FIRST_COLUMN = 28


class Terminal(Console):
    """Standard output, of which a reader that has gone is an error like any other."""

    def on_broken_pipe(self) -> None:
        """Leave it to the caller, where rich would end the process."""
        raise BrokenPipeError("Nobody reads the standard output any more.")


def table_of(heads: tuple[str, str], rows: Iterable[tuple[str, str]], encoding: str) -> Table:
    """A table of two columns, in which no word is cut off: what is too long goes on below.

    Args:
        heads: What the columns hold.
        rows: What is wrong, and what is to be said of it.
        encoding: That of the terminal.

    Returns:
        The table.
    """
    table = Table(show_lines=True)
    table.add_column(heads[0], overflow="fold", max_width=_MAX_WIDTH_OF_FIRST_COLUMN)
    table.add_column(heads[1], overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell, encoding)) for cell in row))
    return table


def printable(text: str, encoding: str) -> str:
    r"""The text, with escapes for the characters that an encoding lacks.

    Example:
        >>> printable("Größe", "ascii")
        'Gr\\xf6\\xdfe'
    """
    return text.encode(encoding, "backslashreplace").decode(encoding)
