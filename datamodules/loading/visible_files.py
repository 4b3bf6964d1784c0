"""Files in a folder."""

from collections.abc import Iterator
from pathlib import Path


def visible_entries(folder: Path) -> Iterator[Path]:
    """Yield files and folders directly in a folder, except hidden ones.

    Notebooks hide ``.ipynb_checkpoints`` in it, macOS files ``._*``.
    """
    return (entry for entry in folder.iterdir() if not entry.name.startswith("."))


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder, at any depth and in no particular order, except hidden ones.

    Links to folders are followed, unless to a folder that they are in, which would never end.
    """
    real = folder.resolve()
    return _files_in(folder, frozenset((real, *real.parents)))


def _files_in(folder: Path, around: frozenset[Path]) -> Iterator[Path]:
    for entry in visible_entries(folder):
        if not entry.is_dir():
            yield entry
        elif (real := entry.resolve()) not in around:
            yield from _files_in(entry, around | {real})
