import os
import sys
from pathlib import Path

import pytest
import torch
from helpers.training import run

TESTS = Path(__file__).parents[1]
CASES = ("healthy", "steps too large", "dead", "rare", "validated by one rank")
HEALTHY = ("healthy", "validated by one rank")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What one process and each of two found, by case."""
    folder = tmp_path_factory.mktemp("ranks")
    worker = TESTS / "callbacks" / "diagnose_on_ranks.py"
    search = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    for ranks in (1, 2):
        run([sys.executable, worker, ranks, folder], folder, PYTHONPATH=search)
    return [torch.load(folder / name, weights_only=True) for name in ("1.0", "2.0", "2.1")]


@pytest.mark.parametrize("case", [*CASES, "resumed"])
def test_both_ranks_find_the_same(found, case):
    assert found[1][case] == found[2][case]
    assert not found[1][case]["failed"]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_find_what_one_does(found, case):
    one, two = found[0][case], found[1][case]
    assert two["found"] == one["found"]
    assert bool(two["found"]) == (case not in HEALTHY)
    assert len(two["validation"]) == 2
    # Rounding grows where the steps are too large.
    loose = {"rel": 1e-3} if case != "steps too large" else {"rel": 0.5}
    for figure in ("losses", "data_losses", "validation"):
        assert two[figure] == pytest.approx(one[figure], **loose)
    assert two["targets"] == one["targets"]
    assert sum(two["predicted"]) == sum(one["predicted"])
    assert two["constant"] == pytest.approx(one["constant"], rel=1e-9)


def test_a_name_that_no_rank_logs_is_refused_on_all(found):
    expected = "but got 'val_cee', which is not available: use one of 'val_ce',"
    for ranks in found:
        assert expected in ranks["mistyped"]


def test_a_class_that_comes_to_one_rank_alone_is_counted(found):
    assert all(found[1]["rare"]["targets"])


def test_a_resumed_fit_finds_what_an_uninterrupted_one_does(found):
    for rank in (1, 2):
        resumed, whole = found[rank]["resumed"], found[rank]["dead"]
        for figure in ("found", "steps", "targets"):
            assert resumed[figure] == whole[figure]
        # Sums of two processes differ in their last bits from run to run.
        for figure in ("losses", "data_losses", "validation", "constant"):
            assert resumed[figure] == pytest.approx(whole[figure], rel=1e-4)


@pytest.mark.parametrize("part", ["add", "_fill", "news"])
def test_a_doctor_that_fails_on_one_rank_ends_on_both_without_a_hang(found, part):
    for rank in (1, 2):
        assert found[rank][f"broken {part}"]["failed"] is True
        assert found[rank][f"broken {part}"]["steps"] == 40
