"""On a device without float64, as Apple's GPUs are, nothing of the package needs it.

Nor does anything need an operation that torch does not have there.
"""

import functools
import sys
from pathlib import Path

import pytest
import torch
import torchgen
import yaml
from check_monitors import images
from device import DEVICE, listening, on_device
from helpers.networks import EveryWay
from helpers.research import Research, fit, loader

from torchvitals.callbacks import EarlyStopping, GradientNormMonitor, TrainingDoctor
from torchvitals.functional import precision


@pytest.fixture
def single_precision(monkeypatch):
    """Let the device be one whose widest precision is single."""
    known = precision.widest

    def widest(device):
        return torch.float32 if device == DEVICE else known(device)

    for name, module in list(sys.modules.items()):
        if name.startswith("torchvitals.") and getattr(module, "widest", None) is known:
            monkeypatch.setattr(module, "widest", widest)


class Checked(Research):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.training_step(batch, batch_idx))

    def val_dataloader(self):
        return loader(images(16))


@functools.cache
def backends():
    """Which backends implement each of torch's operations; nothing for one made of others."""
    native = Path(torchgen.__file__).parent / "packaged/ATen/native/native_functions.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    known, elsewhere = {}, {}
    for entry in yaml.load(native.read_text(), Loader=loader):
        name = entry["func"].partition("(")[0]
        names = ",".join(entry.get("dispatch", {})).replace(" ", "")
        known[name] = set(names.split(",")) - {""}
        elsewhere[name] = entry.get("structured_delegate", name)
    return {name: keys | known[elsewhere[name]] for name, keys in known.items()}


def is_on_mps(operation):
    keys = backends()[operation.removeprefix("aten::")]
    return not keys or "MPS" in keys or any(key.startswith("Composite") for key in keys)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_nothing_is_needed_that_is_not_there(single_precision, norm_type):
    callbacks = [
        TrainingDoctor(), EarlyStopping("val_loss"), GradientNormMonitor(1, norm_type=norm_type),
    ]  # fmt: skip
    with listening("float64", "operation") as found:
        fit(Checked(EveryWay()), loader(images(200)), callbacks, **on_device())
    assert {event for event in found if event.kind == "float64"} == set()
    operations = {event.operation for event in found if event.kind == "operation"}
    assert "aten::index_add.out" in operations
    assert [operation for operation in operations if not is_on_mps(operation)] == []
    assert not any(monitor.failed for monitor in (callbacks[0], callbacks[2]))


def test_an_operation_that_apples_gpus_lack_is_known():
    assert not is_on_mps("aten::mode")
    assert is_on_mps("aten::addmm")


def test_where_there_is_float64_it_is_used():
    with listening("float64") as found:
        fit(Research(EveryWay()), loader(images(40)), [GradientNormMonitor(1)], **on_device())
    assert found
