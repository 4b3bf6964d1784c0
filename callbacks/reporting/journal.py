"""The doctor's record of a training run, written while it runs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ..diagnosis import Diagnosis
from ..monitoring.guard import SideWork, text_of
from ..monitoring.recording.json_lines import JsonLines, encode, read_json_lines
from .case import read_case

Fact = str | float


class Journal:
    """The entries of a training run from its start, in memory and as lines of a file.

    ``{"start": step, "resumed": false}`` opens a fit. ``{"facts": {name: value}}`` holds facts
    about it. ``{"report": step, "since": step, "epoch": 0, "losses": [...], "figures":
    {name: value}}`` holds the losses of the batches since the previous report. ``{"validation":
    step, "epoch": 0, "figures": {name: value}}`` is a validation, ``{"diagnosis": {...}, "at":
    step}`` a diagnosis in its latest form, ``{"withdrawn": code, "at": step}`` its withdrawal, and
    ``{"end": step, "error": null, "failed": false}`` the end of the fit. Steps are those of the
    loggers' axis. NaN and infinity are stored as texts, as in `RecordFile`.

    A file that cannot be written is abandoned with one warning; the entries stay in memory.

    Args:
        side_work: The doctor's side work, which includes writing the file; None for a separate one.

    Attributes:
        entries: All entries, as in the file.
    """

    def __init__(self, side_work: SideWork | None = None) -> None:
        self._side_work = side_work or SideWork("TrainingDoctor")
        self.entries: list[dict[str, Any]] = []
        self._file: JsonLines | None = None
        self._facts: dict[str, Fact] = {}
        self._standing: dict[str, dict[str, Any]] = {}
        self._batches = self._last_step = 0

    @property
    def run_folder(self) -> Path | None:
        """Folder of the current run; None if nothing is written."""
        path = None if self._file is None else self._file.path
        return None if path is None or not path.exists() else path.parent.parent

    def start(
        self, step: int, *, resumed: bool, batches: int = 0, path: Path | None = None
    ) -> None:
        """Begin a fit, afresh or after the entries of an earlier one.

        Args:
            step: Steps done.
            resumed: Whether it continues an earlier one.
            batches: How many batch losses of the earlier one are known.
            path: File to write to. An existing file is appended to; it is read first if its fit is
                resumed and no entries are in memory.
        """
        known = path is not None and path.exists()
        if not resumed:
            self.entries = []
        elif not self.entries and known and path is not None:
            self.entries = list(read_json_lines(path))
        earlier = self.entries
        self._facts, self._batches, self._last_step = {}, batches, step
        self._file = None if path is None else JsonLines(path)
        for entry in [] if known else earlier:
            self._write(entry)
        self._add({"start": step, "resumed": resumed})
        standing = [f.diagnosis for f in read_case(self.entries).findings if f.stands]
        self._standing = {diagnosis.problem.value: _plain(diagnosis) for diagnosis in standing}

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Record those of the facts that are new or changed."""
        new = {name: value for name, value in facts.items() if self._facts.get(name) != value}
        self._facts |= new
        if new:
            self._add(
                {"facts": {n: encode(v) if isinstance(v, float) else v for n, v in new.items()}}
            )

    def report(
        self, step: int, epoch: int, losses: Sequence[float], figures: Mapping[str, float]
    ) -> None:
        """Record the losses since the previous report, and the current figures.

        Args:
            step: Steps done.
            epoch: Epoch, from 0.
            losses: Loss of every batch of this fit so far.
            figures: Other values by name.
        """
        recent = losses[self._batches :]
        if not recent and step == self._last_step:
            return
        self._add(
            {
                "report": step,
                "since": self._last_step,
                "epoch": epoch,
                "losses": [encode(loss, 6) for loss in recent],
                "figures": _encoded(figures),
            }
        )
        self._batches, self._last_step = len(losses), step

    def validate(self, step: int, epoch: int, figures: Mapping[str, float]) -> None:
        """Record a validation."""
        self._add({"validation": step, "epoch": epoch, "figures": _encoded(figures)})

    def diagnose(self, step: int, standing: Sequence[Diagnosis]) -> None:
        """Record how the current diagnoses have changed.

        Args:
            step: Steps done.
            standing: All current diagnoses.
        """
        now = {diagnosis.problem.value: _plain(diagnosis) for diagnosis in standing}
        for problem in self._standing.keys() - now.keys():
            self._add({"withdrawn": problem, "at": step})
        for problem, plain in now.items():
            if self._standing.get(problem) != plain:
                self._add({"diagnosis": plain, "at": step})
        self._standing = now

    def end(self, step: int, error: BaseException | None = None, *, failed: bool = False) -> None:
        """Close a fit.

        Args:
            step: Steps done.
            error: Exception that ended it early; None if none did.
            failed: Whether the doctor had switched itself off.
        """
        text = None if error is None else f"{type(error).__name__}: {text_of(error)}".strip(": ")
        self._add({"end": step, "error": text, "failed": failed})
        if self._file is not None:
            # Every line was flushed; an abandoned file is closed as well.
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _add(self, entry: dict[str, Any]) -> None:
        self.entries.append(entry)
        self._write(entry)

    def _write(self, entry: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._side_work.attempt("file", self._file.write, entry)

    def state_dict(self) -> dict[str, Any]:
        """Return all entries for ``torch.load(weights_only=True)``, the losses as one tensor."""
        losses = [float(loss) for entry in self.entries for loss in entry.get("losses", ())]
        entries = [
            {**entry, "losses": len(entry["losses"])} if "losses" in entry else entry
            for entry in self.entries
        ]
        # The losses have six digits, which fit into single precision.
        return {"entries": entries, "losses": torch.tensor(losses, dtype=torch.float32)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore saved entries; `start` continues from there."""
        losses = iter(state_dict["losses"].tolist())
        self.entries = [
            {**entry, "losses": [encode(v, 6) for v in islice(losses, entry["losses"])]}
            if "losses" in entry
            else entry
            for entry in state_dict["entries"]
        ]


def _plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """Convert a diagnosis to JSON types."""
    plain = asdict(diagnosis)
    plain["problem"] = diagnosis.problem.value
    plain["measurements"] = _encoded(diagnosis.measurements)
    plain["remedies"] = list(plain["remedies"])
    return plain


def _encoded(figures: Mapping[str, float]) -> dict[str, float | str]:
    return {name: encode(value, 6) for name, value in figures.items()}
