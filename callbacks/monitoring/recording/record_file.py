"""A monitor's record as a file that survives a crash."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .json_lines import UNKNOWN_FORM, JsonLines, encode, read_json_lines
from .record import Record

Values = Mapping[str, Mapping[str, float]]


class RecordFile(JsonLines):
    """Write a record as JSON Lines, flushing each line.

    ``{"start": {...}}`` begins a fit, ``{"columns": {quantity: [layer, ...]}}`` names the columns
    of the reports after it, ``{"step": 49, "epoch": 0, quantity: [value, ...], "summary": {...}}``
    is one report, ``{"finding": key, "text": ...}`` one finding. NaN and infinity are the strings
    ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``. An existing file is appended to. A step may have
    several reports, one per optimiser, each for different layers.

    Args:
        path: The file; its folder is created with the first line.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._columns: dict[str, list[str]] = {}

    def start(self, monitor: str, resumed: bool) -> None:
        """Begin a fit; one that continues an earlier fit keeps what the file holds of it."""
        self._columns = {}
        self.write({"start": {"monitor": monitor, "resumed": resumed}})

    def report(self, step: int, epoch: int, values: Values, summary: Mapping[str, float]) -> None:
        """Add a report."""
        columns = {quantity: list(by_layer) for quantity, by_layer in values.items()}
        if columns != self._columns:
            self._columns = columns
            self.write({"columns": columns})
        cells = {q: [encode(v) for v in by_layer.values()] for q, by_layer in values.items()}
        totals = {name: encode(value) for name, value in summary.items()}
        self.write({"step": step, "epoch": epoch, **cells, "summary": totals})

    def finding(self, key: str, text: str) -> None:
        """Add a finding."""
        self.write({"finding": key, "text": text})


@dataclass
class Recorded:
    """Contents of a record file for its last fit.

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
    """Read a record file back, even one that a crash cut off in the middle of a line.

    If a resumed run repeated some steps, their later reports count. Entries of an unknown form are
    skipped.

    Args:
        path: A file that a monitor wrote.

    Returns:
        The last fit's record.
    """
    recorded = Recorded()
    columns: dict[str, list[str]] = {}
    # Several reports of one step are those of several optimisers.
    reports: dict[int, list[_Report]] = {}
    earlier: dict[int, list[_Report]] = {}
    for entry in read_json_lines(path):
        with suppress(*UNKNOWN_FORM):
            match entry:
                case {"start": {"monitor": str(monitor), "resumed": bool(resumed)}}:
                    earlier = {**earlier, **reports} if resumed else {}
                    recorded, reports = recorded if resumed else Recorded(), {}
                    recorded.monitor = monitor
                case {"columns": dict(layers)}:
                    columns = {q: [str(name) for name in names] for q, names in layers.items()}
                case {"finding": str(key), "text": str(text)}:
                    recorded.findings[key] = text
                case {"step": int(step)}:
                    report = _report_of(entry, columns)
                    reports.setdefault(step, []).append(report)
    for step, of_step in sorted({**earlier, **reports}.items()):
        for report in of_step:
            _add(recorded, step, report)
    return recorded


@dataclass(frozen=True)
class _Report:
    epoch: int
    values: dict[str, dict[str, float]]
    summary: dict[str, float]


def _report_of(entry: Mapping[str, Any], columns: Mapping[str, list[str]]) -> _Report:
    """Parse a whole report before any of it is added: a damaged one is skipped as a whole."""
    values = {
        quantity: dict(zip(layers, map(float, entry[quantity]), strict=True))
        for quantity, layers in columns.items()
    }
    summary = {name: float(value) for name, value in entry["summary"].items()}
    return _Report(int(entry["epoch"]), values, summary)


def _add(recorded: Recorded, step: int, report: _Report) -> None:
    for quantity, values in report.values.items():
        recorded.records.setdefault(quantity, Record()).add(step, report.epoch, values)
    recorded.summary.add(step, report.epoch, report.summary)
