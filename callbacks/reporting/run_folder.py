"""The records in a run's folder."""

from dataclasses import dataclass
from pathlib import Path

from ..monitoring.recording.json_lines import read_json_lines
from ..monitoring.recording.record_file import Recorded, read_record_file
from .case import Case, read_case

DOCTOR_FILE = "TrainingDoctor.jsonl"


@dataclass(frozen=True)
class RunFolder:
    """The records of a run.

    Attributes:
        path: Folder of the run.
        case: The doctor's record; None if there was no doctor.
        monitors: The records of each monitor.
    """

    path: Path
    case: Case | None
    monitors: tuple[Recorded, ...]


def read_run_folder(path: Path) -> RunFolder:
    """Read the records of a run that ended, crashed, or is still running.

    Args:
        path: Folder of the run, its ``vitals`` folder, or a folder of runs, of which the one with
            the newest record is read.

    Returns:
        All that was recorded.

    Raises:
        FileNotFoundError: If there is no such folder, or no record in it.
    """
    vitals = _find_vitals(path)
    doctor = vitals / DOCTOR_FILE
    case = read_case(read_json_lines(doctor)) if doctor.is_file() else None
    files = sorted(file for file in _files(vitals) if file.name != DOCTOR_FILE)
    monitors = [recorded for file in files if (recorded := read_record_file(file)).records]
    return RunFolder(vitals.resolve().parent, case, tuple(monitors))


def _find_vitals(path: Path) -> Path:
    if not path.is_dir():
        raise FileNotFoundError(f"Expected the folder of a run, but there is no folder {path}.")
    if path.resolve().name == "vitals" and _files(path):
        return path
    direct = path / "vitals"
    if _files(direct):
        return direct
    nested = {file.parent for file in path.rglob("vitals/*.jsonl") if file.is_file()}
    if not nested:
        raise FileNotFoundError(
            f"Expected records of a run below {path}, but there is no vitals/*.jsonl: train with "
            "TrainingDoctor() or a monitor among the Trainer's callbacks, and a logger or "
            "checkpointing, whose folder holds the records."
        )
    return max(nested, key=_newest)


def _newest(vitals: Path) -> float:
    return max(file.stat().st_mtime for file in _files(vitals))


def _files(vitals: Path) -> list[Path]:
    """List the record files; broken links and folders may have such names, too."""
    return [file for file in vitals.glob("*.jsonl") if file.is_file()]
