"""What the rules were given in a training, kept in a file to apply them to it again."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.vital_signs.vitals import Vitals


class Report(NamedTuple):
    """The vital signs at a report, pickled, and the usual steps between two of them."""

    pickled: bytes
    interval: int

    def vitals(self) -> Vitals:
        vitals: Vitals = pickle.loads(self.pickled)
        return vitals


class RecordingDoctor(TrainingDoctor):
    """A doctor that keeps what its rules are given."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[Report] = []

    def _fill(self, vitals: Vitals) -> None:
        super()._fill(vitals)
        # At once: the lists in it grow.
        self.reports.append(Report(pickle.dumps(vitals), self._schedule.interval))


@dataclass(frozen=True)
class Recording:
    """A training of a case, and the codes that an expert accepts for it, if it is sick."""

    name: str
    seed: int
    accepted: tuple[str, ...]
    reports: list[Report]

    def keep(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.{self.seed}.pickle"
        path.write_bytes(pickle.dumps(self))


def kept_in(folder: Path) -> list[Path]:
    """The recordings of a folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    paths = sorted(folder.glob("*.pickle"))
    if not paths:
        raise FileNotFoundError(
            f"Expected recordings in {folder}, but there are none: run judge.py --record {folder}."
        )
    return paths
