"""Findings and remedies as text, for a terminal of any width and encoding."""

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ...diagnosis import Diagnosis

# Longer lines are hard to read, however wide the terminal is.
_MAX_WIDTH = 100
_MIN_WIDTH = 20


class Terminal(Console):
    """Standard output, where a broken pipe is an error like any other."""

    def on_broken_pipe(self) -> None:
        """Raise an error for the caller to handle, where rich would end the process."""
        raise BrokenPipeError("The reader of the standard output has closed it.")

    def tell(self, *texts: object) -> None:
        """Print texts below each other, without wrapping lines that are to be copied."""
        self.print(*texts, sep="\n", soft_wrap=True)


def account_of(
    diagnoses: Sequence[Diagnosis], width: int, encoding: str, *, most_remedies: int | None = None
) -> Text:
    """Return a paragraph for each diagnosis: what is wrong, the evidence, what to change.

    Sentences are wrapped between words. Code has its own lines, which are never wrapped.

    Args:
        diagnoses: The diagnoses, the worst first.
        width: Columns of the terminal.
        encoding: Encoding of the terminal.
        most_remedies: How many remedies to show for each; None shows all.

    Returns:
        The text.
    """
    width = max(_MIN_WIDTH, min(width, _MAX_WIDTH))
    account = Text()
    for diagnosis in diagnoses:
        account.append("\n" if account else "")
        account.append(printable(_head(diagnosis), encoding) + "\n", style="bold")
        for line in _lines(diagnosis, width, most_remedies):
            account.append(printable(line, encoding) + "\n")
    account.rstrip()
    return account


def _head(diagnosis: Diagnosis) -> str:
    place = f" in {diagnosis.layer}" if diagnosis.layer else ""
    since = f"since step {diagnosis.step:,}" if diagnosis.step else "from the start"
    return f"{diagnosis.severity}: {diagnosis.problem.value}{place}, {since}"


def _lines(diagnosis: Diagnosis, width: int, most_remedies: int | None) -> Iterator[str]:
    yield from _wrapped(diagnosis.evidence, width, "  ")
    for remedy in diagnosis.remedies[:most_remedies]:
        yield from _wrapped(remedy.advice, width, "  -> ")
        yield from (f"       {line}".rstrip() for line in remedy.code.splitlines())


def _wrapped(sentence: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        sentence,
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def way_to_page(folder: Path) -> str:
    """Return the command that makes the report page of a run, as one would type it.

    Example:
        >>> way_to_page(Path("/runs/version 0"))
        "Report page of this run: torchvitals report '/runs/version 0'"
    """
    with suppress(OSError, ValueError):
        folder = folder.absolute().relative_to(Path.cwd())
    return f"Report page of this run: torchvitals report {shlex.quote(folder.as_posix())}"


def printable(text: str, encoding: str) -> str:
    r"""Escape the characters of a text that an encoding lacks.

    Example:
        >>> printable("Größe", "ascii")
        'Gr\\xf6\\xdfe'
    """
    return text.encode(encoding, "backslashreplace").decode(encoding)
