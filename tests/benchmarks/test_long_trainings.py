"""The benchmark of long trainings: each begins, validates and logs what its goal is of."""

import subprocess
import sys
from pathlib import Path

from helpers.training import environment

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "long_trainings"


def test_all_begin():
    # By itself: its modules have the names of the clinic's.
    said = subprocess.run(
        [sys.executable, FOLDER / "judge.py", "--steps", "4"],
        cwd=FOLDER, env=environment(OMP_NUM_THREADS="1"), capture_output=True, text=True,
        timeout=280, check=True,
    ).stdout.splitlines()  # fmt: skip
    rows = said[2:-1]
    assert len(rows) >= 16
    assert all(row.endswith(" nothing") for row in rows)
