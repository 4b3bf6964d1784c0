import subprocess
import sys
from pathlib import Path

import pytest
import torch

WORKER = Path(__file__).with_name("train_on_ranks.py")


def test_two_processes_record_what_one_does(tmp_path):
    for ranks in (1, 2):
        command = [sys.executable, WORKER, str(ranks), str(tmp_path / str(ranks))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
    history, masks = torch.load(tmp_path / "1.0")
    assert masks["network.2"][3]
    for rank in (0, 1):
        other_history, other_masks = torch.load(tmp_path / f"2.{rank}")
        assert other_masks == masks
        for layer, norms in history.items():
            assert other_history[layer] == pytest.approx(norms, rel=1e-4)
