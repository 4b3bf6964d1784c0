"""The benchmark of published models runs where their packages are, and where they are not."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from helpers.training import environment

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "published_models"


def judged(*models, steps=-1):
    # By itself: its modules have the names of the clinic's.
    return subprocess.run(
        [sys.executable, FOLDER / "judge.py", "--models", *models, "--steps", str(steps)],
        cwd=FOLDER, env=environment(OMP_NUM_THREADS="1"), capture_output=True, text=True,
        timeout=280, check=True,
    ).stdout  # fmt: skip


def is_installed(package):
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


@pytest.mark.skipif(is_installed("spikingjelly"), reason="spikingjelly is installed")
def test_a_package_that_is_missing_is_skipped():
    said = judged("spikingjelly")
    assert "skipped, spikingjelly is not installed" in said
    assert "0 of 1 trainings judged" in said


@pytest.mark.parametrize("steps", [2, 22])  # of an epoch of 21
def test_a_network_of_torchvision_hears_nothing(steps):
    said = judged("torchvision/resnet18", steps=steps)
    assert "1 of 1 trainings judged, of 1 packages" in said
    assert "flagged 0 of these, and 0 of the others" in said
    assert "1 bit-identical with and without the doctor" in said
