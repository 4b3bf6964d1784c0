"""The doctor's own record of a training, kept as it comes."""

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
    """Entries that tell a training from its start, in memory and as lines of a file.

    ``{"start": step, "resumed": false}`` opens a fit. ``{"facts": {name: value}}`` is what is
    known of it. ``{"report": step, "since": step, "epoch": 0, "losses": [...], "figures":
    {name: value}}`` holds the losses of the batches since the report before. ``{"validation":
    step, "epoch": 0, "figures": {name: value}}`` is a check, ``{"diagnosis": {...}, "at": step}``
    a diagnosis in its latest form, ``{"withdrawn": code, "at": step}`` its end, and
    ``{"end": step, "error": null, "failed": false}`` that of the fit. Steps are those of the
    loggers' axis. NaN and infinity are texts, as in `RecordFile`.

    A file that cannot be written is given up with one warning; the entries stay in memory.

    Args:
        side_work: What the doctor does beside his record; None for a journal of its own.

    Attributes:
        entries: All of them, as the file has them.
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
        """Folder of the run that goes on; None where nothing is written."""
        path = None if self._file is None else self._file.path
        return None if path is None or not path.exists() else path.parent.parent

    def start(
        self, step: int, *, resumed: bool, batches: int = 0, path: Path | None = None
    ) -> None:
        """Begin a fit, afresh or after the entries of an earlier one.

        Args:
            step: Steps done.
            resumed: Whether it goes on with an earlier one.
            batches: Losses that are known of the earlier one.
            path: File to write to; one that exists is added to, and read where the fit that it
                tells of goes on and is not known.
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
        """Take down what is new of these facts."""
        new = {name: value for name, value in facts.items() if self._facts.get(name) != value}
        self._facts |= new
        if new:
            self._add(
                {"facts": {n: encode(v) if isinstance(v, float) else v for n, v in new.items()}}
            )

    def report(
        self, step: int, epoch: int, losses: Sequence[float], figures: Mapping[str, float]
    ) -> None:
        """Take down the losses since the report before, and figures of now.

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
        """Take down a validation."""
        self._add({"validation": step, "epoch": epoch, "figures": _encoded(figures)})

    def diagnose(self, step: int, standing: Sequence[Diagnosis]) -> None:
        """Take down what has changed in what stands.

        Args:
            step: Steps done.
            standing: All diagnoses that stand now.
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
            error: What ended it before its time.
            failed: Whether the doctor switched itself off before.
        """
        text = None if error is None else f"{type(error).__name__}: {text_of(error)}".strip(": ")
        self._add({"end": step, "error": text, "failed": failed})
        if self._file is not None:
            # Every line was flushed; what was given up is closed, too.
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
        """All entries, of types that ``torch.load(weights_only=True)`` takes; the losses as one."""
        losses = [float(loss) for entry in self.entries for loss in entry.get("losses", ())]
        entries = [
            {**entry, "losses": len(entry["losses"])} if "losses" in entry else entry
            for entry in self.entries
        ]
        # Six digits, as they have, fit into single precision.
        return {"entries": entries, "losses": torch.tensor(losses, dtype=torch.float32)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take up saved entries; `start` goes on from there."""
        losses = iter(state_dict["losses"].tolist())
        self.entries = [
            {**entry, "losses": [encode(v, 6) for v in islice(losses, entry["losses"])]}
            if "losses" in entry
            else entry
            for entry in state_dict["entries"]
        ]


def _plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as JSON has it."""
    plain = asdict(diagnosis)
    plain["problem"] = diagnosis.problem.value
    plain["measurements"] = _encoded(diagnosis.measurements)
    plain["remedies"] = list(plain["remedies"])
    return plain


def _encoded(figures: Mapping[str, float]) -> dict[str, float | str]:
    return {name: encode(value, 6) for name, value in figures.items()}
