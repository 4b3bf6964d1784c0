"""What was found and what to change, for a terminal of any width and encoding."""

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
    """Standard output, of which a reader that has gone is an error like any other."""

    def on_broken_pipe(self) -> None:
        """Leave it to the caller, where rich would end the process."""
        raise BrokenPipeError("Nobody reads the standard output any more.")

    def tell(self, *texts: object) -> None:
        """Print below each other, without a break in what must be copied as it is."""
        self.print(*texts, sep="\n", soft_wrap=True)


def account_of(
    diagnoses: Sequence[Diagnosis], width: int, encoding: str, *, most_remedies: int | None = None
) -> Text:
    """A paragraph for each diagnosis: what is wrong, the evidence, what to change.

    Sentences are wrapped between words. Code has lines of its own, and keeps them.

    Args:
        diagnoses: The worst first.
        width: Columns of the terminal.
        encoding: That of the terminal.
        most_remedies: How many are told of each; None tells all.

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
    """The command that makes the page of a run, as one would type it.

    Example:
        >>> way_to_page(Path("/runs/version 0"))
        "The page of this training: torchvitals report '/runs/version 0'"
    """
    with suppress(OSError, ValueError):
        folder = folder.absolute().relative_to(Path.cwd())
    return f"The page of this training: torchvitals report {shlex.quote(folder.as_posix())}"


def printable(text: str, encoding: str) -> str:
    r"""The text, with escapes for the characters that an encoding lacks.

    Example:
        >>> printable("Größe", "ascii")
        'Gr\\xf6\\xdfe'
    """
    return text.encode(encoding, "backslashreplace").decode(encoding)
