"""On a device without float64, as Apple's GPUs are, nothing of the package needs it."""

import sys

import pytest
import torch
from check_monitors import Network, images
from device import DEVICE, listening, on_device
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


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_nothing_needs_float64(single_precision, norm_type):
    callbacks = [
        TrainingDoctor(), EarlyStopping("val_loss"), GradientNormMonitor(1, norm_type=norm_type),
    ]  # fmt: skip
    with listening("float64") as found:
        fit(Checked(Network()), loader(images(400)), callbacks, **on_device())
    assert set(found) == set()
    assert not any(monitor.failed for monitor in (callbacks[0], callbacks[2]))


def test_where_there_is_float64_it_is_used():
    with listening("float64") as found:
        fit(Research(Network()), loader(images(40)), [GradientNormMonitor(1)], **on_device())
    assert found
