import subprocess
import sys
from pathlib import Path

import pytest
import torch

WORKER = Path(__file__).with_name("monitor_activations_on_ranks.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What one process and each of two showed, by case."""
    folder = tmp_path_factory.mktemp("ranks")
    for ranks in (1, 2):
        command = [sys.executable, WORKER, str(ranks), str(folder / str(ranks))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=folder)
        assert done.returncode == 0, done.stderr
    return [torch.load(folder / name) for name in ("1.0", "2.0", "2.1")]


@pytest.mark.parametrize("rank", [0, 1])
def test_two_ranks_with_uneven_batches_show_what_one_process_does(found, rank):
    one, two = found[0]["plain"], found[1 + rank]["plain"]
    assert list(one["statistics"]) == list(two["statistics"]) == ["tanh", "gelu"]
    for site, units in one["statistics"].items():
        assert torch.allclose(two["statistics"][site], units, rtol=1e-5, equal_nan=True)
        assert one["drift"][site] > 0.1
        assert two["drift"][site] == pytest.approx(one["drift"][site], rel=1e-4)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_site_that_runs_on_one_rank_alone_is_shown_on_both(found, rank):
    one, two = found[0]["extra"], found[1 + rank]["extra"]
    assert set(two["statistics"]) == {"tanh", "gelu", "sigmoid"}
    assert torch.allclose(two["statistics"]["tanh"], one["statistics"]["tanh"], rtol=1e-5)
    assert torch.equal(two["statistics"]["sigmoid"], found[1]["extra"]["statistics"]["sigmoid"])


def test_a_monitor_that_fails_on_one_rank_ends_on_both_without_a_hang(found):
    for rank in (1, 2):
        assert found[rank]["broken"]["failed"]
        assert found[rank]["broken"]["steps"] == 4
