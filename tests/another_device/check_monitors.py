"""Monitors on an accelerator: they wait for it at reports alone, and record what a CPU does."""

import copy
import pickle

import pytest
import torch
from device import NAME, listening, on_device
from helpers.networks import EveryWay
from helpers.research import Research, fit, loader
from lightning.pytorch import Callback
from lightning.pytorch.plugins import MixedPrecision
from torch import nn

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)

INTERVAL, WARM_UP = 10, 3


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTM(24, 8, batch_first=True), nn.GRU(8, 8, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.gru(self.lstm(x.movedim(1, -1).flatten(2))[0])[0][:, -1])


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(24, 2, 16, batch_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(24, 3)

    def forward(self, x):
        return self.out(self.encoder(x.movedim(1, -1).flatten(2)).mean(1))


class Steps(Callback):
    """Ask ``events`` how many there are after each step."""

    def __init__(self, events):
        self.events, self.counts = events, []

    def on_train_batch_end(self, *_):
        self.counts.append(len(self.events))

    def waited_in(self):
        counts = [0, *self.counts]
        return {step for step in range(len(counts) - 1) if counts[step + 1] > counts[step]}


def images(count):
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("network", [EveryWay, Recurrent, Attentive])
@pytest.mark.parametrize("every_n_steps", [None, INTERVAL])
def test_no_step_between_reports_waits_for_the_device(network, every_n_steps):
    monitors = [
        monitor(every_n_steps)
        for monitor in (
            GradientNormMonitor, DeadReLUMonitor, ActivationMonitor, UpdateRatioMonitor,
        )
    ]  # fmt: skip
    with listening("wait") as waits:
        steps = Steps(waits)
        arguments = {**on_device(), "log_every_n_steps": INTERVAL}
        data = loader(images(4 * 4 * INTERVAL))
        trainer = fit(Research(network(), lr=0.1), data, [*monitors, steps], **arguments)
    assert trainer.global_step == 4 * INTERVAL
    assert monitors[0].steps == monitors[-1].steps == [9, 19, 29, 39]
    # A report completes the step before it, or is completed by the step after it.
    may = {step for step in range(4 * INTERVAL) if step < WARM_UP or step % INTERVAL in (9, 0)}
    assert steps.waited_in() <= may
    assert {9, 19, 29, 39} <= steps.waited_in()


def mixed(precision, device):
    scaler = torch.amp.GradScaler(device) if precision == "16-mixed" else None
    return {"plugins": [MixedPrecision(precision, device, scaler)]} if precision else {}


@pytest.mark.parametrize(
    ("network", "precision"),
    [
        (network, precision)
        for network in (EveryWay, Recurrent, Attentive)
        for precision in (None, "bf16-mixed", "16-mixed")
        # torch has no LSTM in half precision on CPUs.
        if (network, precision) != (Recurrent, "16-mixed")
    ],
)
def test_the_device_records_what_the_cpu_does(network, precision):
    found = []
    for device, where in (("cpu", {}), (NAME, on_device())):
        torch.manual_seed(0)
        model = Research(network(), lr=0.01)
        monitors = [
            GradientNormMonitor(1), UpdateRatioMonitor(1), ActivationMonitor(1), DeadReLUMonitor(),
        ]  # fmt: skip
        fit(model, loader(images(40)), monitors, **mixed(precision, device), **where)
        found.append(monitors)
    for expected, observed in zip(*found, strict=True):
        assert not observed.failed
        quantities = record_of(expected)
        assert record_of(observed).keys() == quantities.keys()
        for name, values in record_of(observed).items():
            close = pytest.approx(quantities[name], rel=1e-2, abs=1e-4, nan_ok=True)
            assert values == close, name


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_monitor_is_duplicated_in_mid_fit(duplicate):
    class Duplicating(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            duplicates.extend(map(duplicate, monitors))

    duplicates = []
    monitors = [TrainingDoctor(), DeadReLUMonitor(), ActivationMonitor(), UpdateRatioMonitor()]
    fit(Research(EveryWay()), loader(images(80)), [*monitors, Duplicating()], **on_device())
    assert len(duplicates) == 4 * 20
    assert not any(monitor.failed for monitor in duplicates)


def record_of(monitor):
    if isinstance(monitor, DeadReLUMonitor):
        return {site: mask.float().tolist() for site, mask in monitor.dead_units.items()}
    if isinstance(monitor, ActivationMonitor):
        tables = monitor.history.items()
        return {(q, layer): v for q, table in tables for layer, v in table.items()}
    return monitor.history
