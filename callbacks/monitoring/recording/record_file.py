"""What a monitor recorded, as a file that outlives a crash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .json_lines import JsonLines, encode, read_json_lines
from .record import Record

Values = Mapping[str, Mapping[str, float]]


class RecordFile:
    """JSON lines, each flushed as it is written.

    ``{"start": {...}}`` opens a fit, ``{"columns": {quantity: [layer, ...]}}`` names what the
    reports after it hold, ``{"step": 49, "epoch": 0, quantity: [value, ...], "summary": {...}}``
    is one report, ``{"finding": key, "text": ...}`` one finding. NaN and infinity are the texts
    ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``. A file that exists is added to.

    Args:
        path: The file; its folder is made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = JsonLines(path)
        self._columns: dict[str, list[str]] = {}

    def start(self, monitor: str, resumed: bool) -> None:
        """Begin a fit; one that goes on with an earlier one keeps what the file holds of it."""
        self._columns = {}
        self._lines.write({"start": {"monitor": monitor, "resumed": resumed}})

    def report(self, step: int, epoch: int, values: Values, summary: Mapping[str, float]) -> None:
        """Add a report."""
        columns = {quantity: list(by_layer) for quantity, by_layer in values.items()}
        if columns != self._columns:
            self._columns = columns
            self._lines.write({"columns": columns})
        cells = {q: [encode(v) for v in by_layer.values()] for q, by_layer in values.items()}
        totals = {name: encode(value) for name, value in summary.items()}
        self._lines.write({"step": step, "epoch": epoch, **cells, "summary": totals})

    def finding(self, key: str, text: str) -> None:
        """Add a finding."""
        self._lines.write({"finding": key, "text": text})

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


@dataclass
class Recorded:
    """What a record file holds of its last fit.

    Attributes:
        monitor: Class of the monitor.
        records: Record by quantity.
        summary: Record of the summary scalars.
        findings: Text by key.
    """

    monitor: str = ""
    records: dict[str, Record] = field(default_factory=dict)
    summary: Record = field(default_factory=Record)
    findings: dict[str, str] = field(default_factory=dict)


def read_record_file(path: Path) -> Recorded:
    """Read a record file back, also one that a crash cut off in the middle of a line.

    Where a run was resumed and did some steps again, the later reports count.

    Args:
        path: A file that a monitor wrote.

    Returns:
        The last fit's record.
    """
    recorded = Recorded()
    columns: dict[str, list[str]] = {}
    reports: dict[int, tuple[dict[str, Any], dict[str, list[str]]]] = {}
    for entry in read_json_lines(path):
        match entry:
            case {"start": {"monitor": monitor, "resumed": resumed}}:
                if not resumed:
                    recorded, reports = Recorded(), {}
                recorded.monitor = monitor
            case {"columns": columns}:
                pass
            case {"finding": key, "text": text}:
                recorded.findings[key] = text
            case {"step": step}:
                reports[step] = (entry, columns)
    for step in sorted(reports):
        _add(recorded, *reports[step])
    return recorded


def _add(recorded: Recorded, entry: dict[str, Any], columns: dict[str, list[str]]) -> None:
    step, epoch = entry["step"], entry["epoch"]
    for quantity, layers in columns.items():
        values = dict(zip(layers, map(float, entry[quantity]), strict=True))
        recorded.records.setdefault(quantity, Record()).add(step, epoch, values)
    summary = {name: float(value) for name, value in entry["summary"].items()}
    recorded.summary.add(step, epoch, summary)
