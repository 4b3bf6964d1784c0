"""Lines of JSON that outlive a crash."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

# What an entry raises that has another form than its reader knows: a later release's, or damage.
UNKNOWN_FORM = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


class JsonLines:
    """Write objects, one a line, each flushed as it is written; a file that exists is added to.

    Args:
        path: The file; its folder is made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the open file, which is opened again where there is a line to write."""
        return {**vars(self), "_file": None}

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Whatever a crash cut short must not swallow the next line.
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
    """The objects of a file, without the lines that are damaged, as by a crash."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def encode(value: float, digits: int = 9) -> float | str:
    """A number as JSON has it; NaN and infinity as texts that ``float`` reads."""
    if math.isfinite(value):
        return float(f"{value:.{digits}g}")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
