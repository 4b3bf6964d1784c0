"""Case 8: two processes take one decision with one reason, and share a module's best weights."""

import os
import sys
from pathlib import Path

import pytest
import torch
from helpers.training import run

TESTS = Path(__file__).parents[1]
# Epochs, reason, best epoch and score.
EXPECTED = {
    "NaN on one rank": (4, "non_finite_metric", (2, 1.0)),
    "infinity on the first rank": (3, "non_finite_metric", (1, 2.0)),
    "over the threshold on one rank": (4, "divergence_threshold", (2, 1.0)),
    "k times the best on one rank": (5, "diverged", (3, 0.95)),
    "one rank improves": (6, "patience_exhausted", (3, 2.7)),
    "the mean is best elsewhere": (5, "patience_exhausted", (1, 4.0)),
    "clocks differ": (5, "time_budget_spent", (4, 0.8)),
    "logged on one rank only": (5, "patience_exhausted", (2, 1.0)),
    "logged on one rank now and then": (6, "patience_exhausted", (1, 2.0)),
    "PQ of the mean": (4, "overfitting", (2, 1.0)),
}


def on_two_ranks(script, tmp_path):
    path = tmp_path / "found"
    search = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    run([sys.executable, TESTS / "callbacks" / script, path], tmp_path, PYTHONPATH=search)
    return [torch.load(f"{path}.{rank}", weights_only=True) for rank in (0, 1)]


def test_case_8_one_decision_and_one_reason(tmp_path):
    first, second = on_two_ranks("stop_on_ranks.py", tmp_path)
    assert repr(first) == repr(second)
    assert first.keys() == EXPECTED.keys()
    for name, (epochs, reason, (epoch, score)) in EXPECTED.items():
        found = first[name]
        assert (found["epochs"], found["reason"]) == (epochs, reason), name
        assert found["best"] == (epoch, pytest.approx(score)), name
        assert found["restored"] == epoch + 1, name


def test_case_8_sharded_weights_come_back_on_every_rank(tmp_path):
    for found in on_two_ranks("restore_shards.py", tmp_path):
        assert len(found) == 11
        assert all(found.values()), found


def test_both_ranks_have_the_statistics_that_were_validated(tmp_path):
    """DDP hands out the first rank's with validation's first batch, behind any swap of averages."""
    ranks = on_two_ranks("restore_averages_on_ranks.py", tmp_path)
    for name, first in ranks[0].items():
        assert torch.equal(first["mean"], ranks[1][name]["mean"]), name
        for found in ranks:
            assert found[name]["right"], name
            assert found[name]["other"], name
