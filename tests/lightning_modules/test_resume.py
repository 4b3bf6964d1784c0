import sys
from pathlib import Path

import pytest
import torch
from helpers.training import run

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(("ranks", "epochs"), [(1, 5), (2, 3)])
def test_a_run_interrupted_after_any_epoch_ends_as_an_uninterrupted_one(ranks, epochs, tmp_path):
    worker = TESTS / "lightning_modules" / "resume_on_ranks.py"
    run([sys.executable, worker, ranks, epochs, tmp_path], tmp_path, PYTHONPATH=str(TESTS))
    runs = torch.load(tmp_path / "runs.pt", weights_only=True)
    assert list(runs["resumed"]) == list(range(1, epochs))
    for resumed in runs["resumed"].values():
        assert resumed["norms"] == runs["whole"]["norms"]
        assert resumed["dead"] == runs["whole"]["dead"]
        for name, value in runs["whole"]["weights"].items():
            assert torch.equal(value, resumed["weights"][name]), name
