"""JSON Lines files that survive a crash."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

# Errors that reading an entry of unknown form raises: one of a later release, or a damaged one.
UNKNOWN_FORM = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


class JsonLines:
    """Write one object per line, flushing each; an existing file is appended to.

    Args:
        path: The file; its folder is created with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the open file, which is reopened for the next line."""
        return {**vars(self), "_file": None}

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A line that a crash cut short must not swallow the next one.
            torn = self.path.exists() and self.path.stat().st_size > 0
            self._file = self.path.open("a", encoding="utf-8")
            self._file.write("\n" if torn else "")
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, skipping lines that are damaged, as by a crash."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def encode(value: float, digits: int = 9) -> float | str:
    """Encode a number for JSON; NaN and infinity become strings that ``float`` parses."""
    if math.isfinite(value):
        return float(f"{value:.{digits}g}")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
