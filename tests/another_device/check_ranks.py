"""Two processes with a device each record what two on the CPU do, also when resumed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
SHARDED = HERE.parent / "callbacks" / "train_sharded.py"


def run(worker, *arguments):
    """Run a script that imports from here and from beside other scripts of this kind."""
    folders = [HERE.parent, HERE, SHARDED.parent, os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, worker, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), "PL_GLOBAL_SEED": "1"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Of each kind of device and rank, those of a whole and of a resumed run."""
    found = {}
    for device in ("cpu", "another"):
        folder = tmp_path_factory.mktemp(device)
        run(HERE / "train_on_ranks.py", device, folder)
        for rank in (0, 1):
            found[device, rank] = torch.load(folder / f"record.{rank}", weights_only=True)
    return found


@pytest.mark.parametrize("resumed", [0, 1])
@pytest.mark.parametrize("rank", [0, 1])
def test_the_devices_record_what_the_cpu_does(records, rank, resumed):
    expected, observed = records["cpu", rank][resumed], records["another", rank][resumed]
    assert not any(observed["failed"])
    for name in ("steps", "dead", "diagnoses", "reason"):
        assert observed[name] == expected[name]
    tables = ("gradients", "updates", *expected["activations"])
    for name in tables:
        table = expected.get(name) or expected["activations"][name]
        other = observed.get(name) or observed["activations"][name]
        assert other.keys() == table.keys()
        for layer, values in table.items():
            close = pytest.approx(values, rel=1e-3, abs=1e-6, nan_ok=True)
            assert other[layer] == close, (name, layer)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_resumed_run_ends_as_an_uninterrupted_one(records, rank):
    whole, resumed = records["another", rank]
    assert (resumed["steps"], resumed["reason"]) == (whole["steps"], whole["reason"])
    assert resumed["gradients"] == whole["gradients"]
    for expected, value in zip(whole["weights"], resumed["weights"], strict=True):
        assert torch.equal(value, expected)


def test_two_devices_that_share_layers_record_what_one_cpu_does(tmp_path):
    run(SHARDED, 1, tmp_path / "cpu")
    run(HERE / "shard_on_ranks.py", "train", tmp_path / "another")
    expected = torch.load(tmp_path / "cpu.0", weights_only=True)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"another.{rank}", weights_only=True)
        for one, two in zip(expected, found, strict=True):
            assert one.keys() == two.keys()
            for name, values in one.items():
                assert two[name] == pytest.approx(values, rel=1e-4), name


def test_the_best_weights_come_back_to_two_devices_that_share_layers(tmp_path):
    run(HERE / "shard_on_ranks.py", "restore", tmp_path / "found")
    for rank in (0, 1):
        found = torch.load(tmp_path / f"found.{rank}", weights_only=False)
        assert len(found) == 11
        assert all(found.values()), found
