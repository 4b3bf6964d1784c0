import sys
from pathlib import Path

import pytest
import torch
from helpers.training import run

TESTS = Path(__file__).parents[1]


def test_two_sharded_ranks_train_as_one_process(tmp_path):
    worker = TESTS / "lightning_modules" / "train_sharded.py"
    for ranks in (1, 2):
        run([sys.executable, worker, ranks, tmp_path / str(ranks)], tmp_path, PYTHONPATH=str(TESTS))
    expected = torch.load(tmp_path / "1.0", weights_only=True)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"2.{rank}", weights_only=True)
        for one, two in zip(expected, found, strict=True):
            assert two["zeros"] == pytest.approx(one["zeros"])
            assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
            for name, value in one["weights"].items():
                torch.testing.assert_close(two["weights"][name], value, rtol=1e-4, atol=1e-6)
