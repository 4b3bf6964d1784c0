"""On two ranks, a value over an epoch that was interrupted is that of an uninterrupted one."""

import os
import sys
from pathlib import Path

import pytest
import torch
from helpers.epoch_means import logged_on
from helpers.training import run

HERE = Path(__file__).parent
SEARCH = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])


def on_two_ranks(name, tmp_path):
    path = tmp_path / "found"
    run([sys.executable, HERE / name, path], tmp_path, PYTHONPATH=SEARCH)
    return [torch.load(f"{path}.{rank}", weights_only=True) for rank in (0, 1)]


def test_checkpoints_of_every_step(tmp_path):
    first, second = on_two_ranks("resume_means_on_ranks.py", tmp_path)
    assert first == second
    assert list(first) == ["mean", "max", "first batch only", "metric"]
    for way, found in first.items():
        assert len(found["whole"]) == 2, way
        assert found[2] == found[5] == found["whole"], way


def test_values_that_each_rank_has_of_its_own(tmp_path):
    """Without ``sync_dist``: what waits for a check, and the training loss since the last one."""
    first, second = on_two_ranks("resume_values_on_ranks.py", tmp_path)
    assert first == second
    for name, (whole, resumed) in first.items():
        assert resumed == whole, name
    patience, _ = first["patience"]
    # 5, 4 and the mean of 3 and 11.
    assert patience == {"step": 9, "values": [5.0, 4.0, 7.0], "losses": []}
    assert first["training loss"][0]["losses"] == [6.0, 7.0, 8.0, 9.0, 10.0]


def test_rates_that_follow_a_metric(tmp_path):
    first, second = on_two_ranks("resume_schedules_on_ranks.py", tmp_path)
    assert first == second
    assert len(first) == 3
    for name, (whole, resumed) in first.items():
        assert resumed == whole, name
        assert whole["rate"] < 0.15, "it was stepped more than once"


def test_after_an_exception(tmp_path):
    """The other rank's sums are lost: the mean covers the rest of the epoch, with a warning."""
    first, second = on_two_ranks("interrupt_means_on_ranks.py", tmp_path)
    whole = first["whole"]
    rest = mean(range(6, 10), range(6, 10))
    for way in ("one saves", "all save"):
        values, told = first[way]
        assert values == pytest.approx([whole[0], rest, *whole[2:]]), way
        assert second[way][0] == values, way
        assert "x will cover only its rest" in told[0], way


def mean(*numbers):
    """Of the batches of each rank that are left, the mean size being rounded by Lightning."""
    pairs = [logged_on(n, rank) for rank, some in enumerate(numbers) for n in some]
    return sum(v * size for v, size in pairs) / 2 / (sum(size for _, size in pairs) // 2)
