"""The benchmark of long trainings: each begins, validates and logs what its goal is of."""

import subprocess
import sys
from pathlib import Path

from helpers.training import environment

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "long_trainings"


def rows(*arguments):
    # By itself: its modules have the names of the clinic's.
    said = subprocess.run(
        [sys.executable, FOLDER / "judge.py", *arguments],
        cwd=FOLDER, env=environment(OMP_NUM_THREADS="1"), capture_output=True, text=True,
        timeout=280, check=True,
    ).stdout.splitlines()  # fmt: skip
    return said[2:-1]


def test_all_begin():
    begun = rows("--steps", "4")
    assert len(begun) >= 16
    assert all(row.endswith(" nothing") for row in begun)


def test_one_with_a_shorter_epoch_ends_with_that():
    (row,) = rows("--trainings", "softmax", "--steps", "1000")
    assert " 22 " in row
