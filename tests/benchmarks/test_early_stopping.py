"""The benchmark of stopping rules: what it replays is what the callback does."""

import sys
from pathlib import Path

from helpers.training import run

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "early_stopping.py"


def test_one_data_set_needs_no_other(tmp_path):
    command = [sys.executable, SCRIPT, "--only", "wine", "--seeds", "1", "--epochs", "10"]
    said = run([*command, "--fashion", tmp_path / "nowhere"], tmp_path, OMP_NUM_THREADS="1")
    assert said.count("wine") == 2
    assert said.count("8 rules, each as replayed") == 2
