import sys
from pathlib import Path

import pytest
import torch
from helpers.training import run

TESTS = Path(__file__).parents[1]


def test_two_ranks_that_share_layers_record_what_one_process_does(tmp_path):
    worker = TESTS / "callbacks" / "train_sharded.py"
    for ranks in (1, 2):
        run([sys.executable, worker, ranks, tmp_path / str(ranks)], tmp_path, PYTHONPATH=str(TESTS))
    expected = torch.load(tmp_path / "1.0", weights_only=True)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"2.{rank}", weights_only=True)
        for one, two in zip(expected, found, strict=True):
            assert one.keys() == two.keys()
            for layer, values in one.items():
                assert two[layer] == pytest.approx(values, rel=1e-5)
