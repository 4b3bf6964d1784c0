"""Where a monitor's values go: its record, a file, the loggers; findings are reported once."""

import logging
from collections.abc import Collection, Mapping
from statistics import median
from typing import Any

from lightning.pytorch import Trainer

from ..guard import SideWork, warn_on_rank_zero
from . import loggers
from .heat_map import Scale, render_heat_map
from .last_fit import LastFit
from .record import Record
from .record_file import RecordFile

_log = logging.getLogger(__name__)
_MAX_CHARTS = 100
_MOST_LINES = 3  # For findings in several layers at once.
_MAX_TABLE_ROWS = 10_000


class Reporter:
    """Record what one monitor reports, and pass it on.

    Every rank keeps the record; rank 0 writes the file and the findings. If there were more than
    100 charts of layers, the loggers get each quantity's median and extremes instead. At the end
    of training they get one heat map and one table, which cover every layer. A file or a logger
    that fails is dropped with one warning; the record continues. A second monitor of the same
    class writes to its own file and charts, such as ``grad_norm_2/total``. All that the monitors
    of a Trainer report for a step is logged as one row: a row costs as much as fifty values in it.

    Args:
        monitor: The monitor's class name.
        scales: Colour scale of each quantity, by its name in the loggers; the first quantity is
            drawn.

    Attributes:
        records: Record of each quantity.
        summary: Record of the summary scalars.
        findings: Text of each finding by its key.
        speaks: Whether findings and warnings are reported, too; a doctor that added the monitor
            reports them itself.
        logs: Whether loggers and ``callback_metrics`` get the values; the file has them anyway.
    """

    def __init__(self, monitor: str, scales: Mapping[str, Scale]) -> None:
        self.monitor = monitor
        self.scales = dict(scales)
        self.speaks = self.logs = True
        self._side_work = SideWork(monitor)
        self._resumed = False
        self._last_fit = LastFit()
        self._has_news = False
        self._file: RecordFile | None = None
        self._suffix = ""
        self._is_quiet = False
        self._rows: dict[int, dict[str, float]] = {}
        self._is_last = True
        self._clear()

    def _clear(self) -> None:
        self.records = {quantity: Record() for quantity in self.scales}
        self.summary = Record()
        self.findings: dict[str, str] = {}

    @property
    def first(self) -> Record:
        """Record of the first quantity."""
        return next(iter(self.records.values()))

    def start(self, trainer: Trainer) -> bool:
        """Begin a fit, afresh unless a checkpoint was just loaded or the last fit continues.

        Returns:
            Whether this fit continues a record.
        """
        self._join(trainer)
        resumed = self._resumed or self._last_fit.goes_on(trainer)
        self._resumed = self._has_news = False
        if not resumed:
            self._clear()
        self._side_work.resume()
        if self.speaks:
            warn_if_barebones(trainer, self.monitor)
        self._file = None
        if trainer.is_global_zero and not self._is_quiet:
            self._side_work.attempt("file", self._open_file, trainer, resumed)
            for quantity in self.scales if self.logs and not trainer.barebones else ():
                name = quantity + self._suffix
                self._side_work.attempt_with_each(trainer.loggers, loggers.use_step_axis, name)
        return resumed

    def _join(self, trainer: Trainer) -> None:
        """Find the Trainer's other monitors: all share the rows of the first one.

        A second monitor of the same class, with other arguments, gets the suffix ``"_2"``. One that
        a doctor has added next to the Trainer's own neither writes a file nor logs.
        """
        together = [r for callback in _callbacks(trainer) for r in _reporters_of(callback)]
        if self not in together:
            together.append(self)
        alike = [reporter for reporter in together if reporter.monitor == self.monitor]
        self._is_quiet = not self.speaks and any(reporter.speaks for reporter in alike)
        position = [r for r in alike if r.speaks == self.speaks].index(self)
        self._suffix = f"_{position + 1}" if position else ""
        self._rows = {} if together[0] is self else together[0]._rows
        self._is_last = together[-1] is self

    def _charted(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """The metrics under this monitor's own names."""
        return {name.replace("/", f"{self._suffix}/", 1): v for name, v in metrics.items()}

    def _open_file(self, trainer: Trainer, resumed: bool) -> None:
        """Open the file; if it is new, begin it with the record restored from a checkpoint."""
        folder = loggers.run_folder(trainer)
        if folder is None:
            return
        self._file = RecordFile(folder / "vitals" / f"{self.monitor}{self._suffix}.jsonl")
        known = self._file.path.exists()
        self._file.start(self.monitor, resumed)
        if known or not resumed:
            return
        for step, epoch in zip(self.first.steps, self.first.epochs, strict=True):
            values = {quantity: record.at(step) for quantity, record in self.records.items()}
            self._file.report(step, epoch, values, self.summary.at(step))
        for key, text in self.findings.items():
            self._file.finding(key, text)

    def report(
        self,
        trainer: Trainer,
        step: int,
        values: Mapping[str, Mapping[str, float]],
        summary: Mapping[str, float],
    ) -> None:
        """Record and log one report.

        Args:
            trainer: The Trainer.
            step: Step on the loggers' axis.
            values: For each quantity, its value by layer.
            summary: Scalars by their full names.
        """
        for quantity, by_layer in values.items():
            self.records[quantity].add(step, trainer.current_epoch, by_layer)
        self.summary.add(step, trainer.current_epoch, summary)
        self._has_news = True
        if self._file is not None:
            row = (step, trainer.current_epoch, values, summary)
            self._side_work.attempt("file", self._file.report, *row)
        if self._is_quiet or not self.logs:
            return
        metrics = self._charted({**_charts(values, taken=summary), **summary})
        self._rows.setdefault(step, {}).update(metrics)
        loggers.offer_scalars(trainer, metrics)

    def end_step(self, trainer: Trainer) -> None:
        """Log the step's row, if no other monitor may add to it."""
        if self._rows and self._is_last:
            self.flush(trainer)

    def flush(self, trainer: Trainer) -> None:
        """Log all pending rows, of whichever monitor and step."""
        rows = dict(self._rows)
        self._rows.clear()
        if not trainer.barebones:
            for step, row in rows.items():
                self._side_work.attempt_with_each(trainer.loggers, loggers.log_scalars, row, step)

    def find(self, trainer: Trainer, key: str, text: str) -> None:
        """Report a finding, once per key: in the log, the file, and W&B."""
        self.find_all(trainer, {key: text})

    def find_all(self, trainer: Trainer, found: Mapping[str, str]) -> None:
        """Report findings in several layers at once; if many, the first and the number of others.

        Args:
            trainer: The Trainer.
            found: Text by key.
        """
        new = {key: text for key, text in found.items() if key not in self.findings}
        self.findings |= new
        if not new or not trainer.is_global_zero or not self.speaks:
            return
        if self._file is not None:
            for key, text in new.items():
                self._side_work.attempt("file", self._file.finding, key, text)
        first, *more = new.values()
        if len(more) >= _MOST_LINES:
            first, more = f"{first} The same applies to {len(more)} more.", []
        for text in (first, *more):
            _log.warning("%s: %s", self.monitor, text)
            if not trainer.barebones:
                each = self._side_work.attempt_with_each
                each(trainer.loggers, loggers.alert, self.monitor, text)

    def finish(self, trainer: Trainer) -> None:
        """Log one heat map and one table, and close the file."""
        self.flush(trainer)
        self._last_fit.end(trainer)
        draws = trainer.is_global_zero and not trainer.barebones and not self._is_quiet
        if draws and self._has_news and len(self.first.steps) > 1:
            quantity = next(iter(self.records))
            self._side_work.attempt("picture", self._log_heat_map, trainer, quantity)
            if self.logs:
                self._side_work.attempt("table", self._log_table, trainer, quantity)
        if self._file is not None:
            self._side_work.attempt("file", self._file.close)
            self._file = None

    def _log_heat_map(self, trainer: Trainer, quantity: str) -> None:
        takes = self.logs and loggers.take_pictures(trainer)
        if self._file is None and not takes:
            return
        from matplotlib.image import imsave

        pixels = render_heat_map(self.first, self.scales[quantity])
        if self._file is not None:
            path = self._file.path.with_name(f"{quantity}{self._suffix}.png")
            self._side_work.attempt("file", imsave, path, pixels)
        if not takes:
            return
        name = f"{quantity}{self._suffix}/heat_map"
        each, step = self._side_work.attempt_with_each, loggers.logger_step(trainer)
        each(trainer.loggers, loggers.log_picture, name, pixels, step)

    def _log_table(self, trainer: Trainer, quantity: str) -> None:
        layers = list(self.records[quantity].last)[:_MAX_TABLE_ROWS]
        rows: list[dict[str, Any]] = [{"layer": layer} for layer in layers]
        for name, record in self.records.items():
            history = record.history
            for layer, row in zip(layers, rows, strict=True):
                row |= _statistics(name, history.get(layer, []))
        name = f"{quantity}{self._suffix}/table"
        each, step = self._side_work.attempt_with_each, loggers.logger_step(trainer)
        each(trainer.loggers, loggers.log_table, name, rows, step)

    def state_dict(self) -> dict[str, Any]:
        """The whole record."""
        return {
            "records": {quantity: record.state_dict() for quantity, record in self.records.items()},
            "summary": self.summary.state_dict(),
            "findings": dict(self.findings),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a checkpoint's record."""
        self._clear()
        for quantity, state in state_dict["records"].items():
            self.records[quantity].load_state_dict(state)
        self.summary.load_state_dict(state_dict["summary"])
        self.findings = dict(state_dict["findings"])
        self._resumed = True


def warn_if_barebones(trainer: Trainer, callback: str) -> None:
    """Warn that a callback of this name logs nothing under a barebones Trainer."""
    if trainer.barebones:
        warn_on_rank_zero(
            f"{callback} logs nothing under Trainer(barebones=True), which turns logging off; its "
            "record is kept in its attributes."
        )


def _callbacks(trainer: Trainer) -> list[object]:
    return trainer.callbacks  # type: ignore[attr-defined,no-any-return]


def _reporters_of(callback: object) -> list[Reporter]:
    """A monitor's reporter, or those of the monitors that a doctor has added."""
    brought = getattr(callback, "_reporters", None)
    found = [getattr(callback, "_reporter", None), *(brought if type(brought) is tuple else ())]
    return [reporter for reporter in found if isinstance(reporter, Reporter)]


def _charts(values: Mapping[str, Mapping[str, float]], taken: Collection[str]) -> dict[str, float]:
    """One scalar per layer, or the extremes and median of many layers.

    A layer's chart whose name is ``taken`` gets a suffix.
    """
    if sum(map(len, values.values())) <= _MAX_CHARTS:
        charts = {
            f"{q}/{name}": value
            for q, by_layer in values.items()
            for name, value in by_layer.items()
        }
        return {f"{n} (layer)" if n in taken else n: value for n, value in charts.items()}
    charts = {}
    for quantity, by_layer in values.items():
        known = [value for value in by_layer.values() if value == value]
        if known:
            charts[f"{quantity}/lowest"] = min(known)
            charts[f"{quantity}/median"] = median(known)
            charts[f"{quantity}/highest"] = max(known)
    return charts


def _statistics(quantity: str, history: list[float]) -> dict[str, float | None]:
    parts = ("lowest", "median", "highest", "last")
    known = [value for value in history if value == value]
    if not known:
        return {f"{quantity} {part}": None for part in parts}
    found = (min(known), median(known), max(known), known[-1])
    return {f"{quantity} {part}": float(f"{v:.4g}") for part, v in zip(parts, found, strict=True)}
