"""On two ranks, a value over an epoch that was interrupted is that of an uninterrupted one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.epoch_means import BATCHES, EPOCHS, logged_on, scores_of
from helpers.training import environment, run
from torchmetrics.functional.classification import binary_auroc

HERE = Path(__file__).parent
SECONDS = 200
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
    """Exact without asking the other rank; where it could not tell before, with a warning."""
    first, second = on_two_ranks("interrupt_means_on_ranks.py", tmp_path)
    lost, behind = first["mean"].pop("lost"), first["at the batch's end"].pop("behind")
    assert len(first) == 12
    for way, places in first.items():
        whole, _ = places["whole"]
        assert 15 <= whole["step"] < EPOCHS * BATCHES
        assert len(places) >= 3
        for place, (found, told) in places.items():
            assert (found, told) == (whole, []), (way, place)
            assert second[way][place][0] == whole, (way, place)
    # What is lost is no reason to fail.
    whole = first["mean"]["whole"][0]["values"]
    assert lost[0]["values"] == pytest.approx(
        [whole[0], mean(range(6, 10), range(6, 10)), *whole[2:]]
    )
    assert "x will cover only its rest" in lost[1][0]
    assert behind[0]["values"] == pytest.approx(
        [whole[0], mean(range(5, 10), (5, 7, 8, 9)), *whole[2:]]
    )
    assert "x will lack what the other ranks logged with the last batch" in behind[1][0]


def mean(*numbers):
    """Of the batches of each rank that are left, the mean size being rounded by Lightning."""
    pairs = [logged_on(n, rank) for rank, some in enumerate(numbers) for n in some]
    return sum(v * size for v, size in pairs) / 2 / (sum(size for _, size in pairs) // 2)


def test_no_more_exchanges_than_are_of_use(tmp_path):
    """Of two epochs: one in each, or one after each batch and one more before the second."""
    first, second = on_two_ranks("count_exchanges_on_ranks.py", tmp_path)
    every = 2 * (BATCHES + 1)
    counts = {name: number for name, (number, _) in first.items()}
    assert counts == {name: number for name, (number, _) in second.items()}
    assert counts.pop("fails on one rank") < every
    assert counts == {
        "nobody saves": 2,
        "not on exceptions": 2,
        "saves": every,
        "Lightning saves": every,
        "one rank saves": every,
        "in the last hook": 2 * (2 * BATCHES - 1),
        # Before the first validation it could be one of training, too.
        "of validation": BATCHES + 1 + 1,
        "of validation, tried before": 2,
        "at an epoch's end": BATCHES + 1 + 1,
    }
    assert first["fails on one rank"][1] == first["saves"][1]


def processes(arguments, folder):
    """One for each rank; what they said, and how each of them ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    started = [
        subprocess.Popen(
            [sys.executable, HERE / "interrupt_one_rank.py", *map(str, arguments)],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment(PYTHONPATH=SEARCH, OMP_NUM_THREADS="1", NODE_RANK=str(rank), **place),
        )
        for rank in (0, 1)
    ]  # fmt: skip
    try:
        said = [process.communicate(timeout=SECONDS)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    return said, [process.returncode for process in started]


# Which rank, and whether before or after the ranks have joined their gradients: for that one waits
# for the other.
DEATHS = {
    (0, "on_after_backward"): True,
    (1, "on_before_backward"): True,
    # The other one trains the batch, but what this one logged with it goes with its process.
    (1, "on_after_backward"): False,
}


def area(*numbers):
    """Of the batches of each rank that are left."""
    scores = [scores_of(n, rank) for rank, some in enumerate(numbers) for n in some]
    targets = torch.cat([torch.arange(len(some)) % 2 for some in scores])
    return binary_auroc(torch.cat(scores), targets).item()


@pytest.mark.timeout(900)
def test_one_rank_dies(tmp_path):
    found, paths = tmp_path / "found", []
    for number, (dying, hook) in enumerate(DEATHS):
        paths.append(tmp_path / f"{number}.ckpt")
        said, codes = processes([found, dying, hook, paths[-1]], tmp_path)
        assert codes == [3, 3], said
    said, codes = processes([found, "none", "none", *paths], tmp_path)
    assert codes == [0, 0], said
    (whole, _), *first = torch.load(f"{found}.0", weights_only=True)
    _, *second = torch.load(f"{found}.1", weights_only=True)
    assert whole["step"] == 25
    assert whole["values"][1] == pytest.approx(area(range(5, 10), range(5, 10)), abs=1e-6)
    assert [resumed for resumed, _ in first] == [resumed for resumed, _ in second]
    for exact, (resumed, told) in zip(DEATHS.values(), first, strict=True):
        if exact:
            assert (resumed, told) == (whole, [])
        else:
            assert "lack what the other ranks logged with the last batch" in told[0]
            rest = area(range(5, 10), (5, 6, 7, 9))
            assert resumed["values"][1] == pytest.approx(rest, abs=1e-6)
            assert resumed["values"][::2] == whole["values"][::2]
