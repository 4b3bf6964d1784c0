import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.training import run

TESTS = Path(__file__).parents[1]
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


def test_a_rank_that_saves_at_an_exception_of_its_own_does_not_wait_for_the_others(tmp_path):
    search = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    worker = WORKER.with_name("save_on_one_rank.py")
    run([sys.executable, worker, tmp_path], tmp_path, PYTHONPATH=search)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"found.{rank}", weights_only=True)
        assert found == {"dead units": True, "doctor": True, "doctor after": True}
