"""Modes of somebody else's, such as a default device, beside those of the monitors."""

import pytest
import torch
import torch.nn.functional as F
from helpers.dead_units import Research, fit, loader
from lightning.pytorch import Callback
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from torchvitals.callbacks import ActivationMonitor, DeadReLUMonitor, TrainingDoctor
from torchvitals.callbacks.monitoring.activations.activation_observer import ActivationObserver

MONITORS = [
    [DeadReLUMonitor],
    [ActivationMonitor],
    [ActivationMonitor, DeadReLUMonitor],
]


def network():
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def sites(monitor):
    return list(monitor.dead_units if isinstance(monitor, DeadReLUMonitor) else monitor.mean)


class OnDevice(Research):
    """Each pass in a context of its own, and one in two that follow each other."""

    def __init__(self):
        super().__init__(network())
        self.automatic_optimization = False
        self.made_on = []

    def training_step(self, batch, batch_idx):
        for device in ("meta", "cpu"):
            with torch.device(device):
                for _ in range(2):
                    self.manual_backward(super().training_step(batch, batch_idx))
                    self.made_on.append(torch.zeros(1).device.type)
            self.manual_backward(super().training_step(batch, batch_idx))
            self.made_on.append(torch.zeros(1).device.type)


@pytest.mark.parametrize("kinds", MONITORS)
def test_a_default_device_stays_and_each_call_is_seen_once(kinds):
    model, monitors = OnDevice(), [kind() for kind in kinds]
    fit(model, loader(torch.randn(8, 6)), monitors, log_every_n_steps=1)
    assert model.made_on == ["meta", "meta", "cpu", "cpu", "cpu", "cpu"] * 2
    assert [sites(monitor) for monitor in monitors] == [["network.1"]] * len(monitors)
    assert torch._C._len_torch_function_stack() == 0


class Counting(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.calls += function is torch.Tensor.relu
        return function(*args, **(kwargs or {}))


class OverTheBatch(Callback):
    """Has a mode entered from the start of each batch to its end."""

    def __init__(self):
        self.mode = Counting()

    def on_train_batch_start(self, *args):
        self.mode.__enter__()

    def on_before_optimizer_step(self, *args):
        torch.ones(1).relu()

    def on_train_batch_end(self, *args):
        self.mode.__exit__(None, None, None)


class ByHand(Research):
    def __init__(self):
        super().__init__(network())
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(F.cross_entropy(self.network(batch[0]), batch[1]))
        optimizer.step()


@pytest.mark.parametrize("kinds", MONITORS)
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("manual", [False, True])
def test_a_callbacks_own_mode_stays_for_the_batch_and_no_longer(kinds, first, manual):
    theirs, monitors = OverTheBatch(), [kind() for kind in kinds]
    callbacks = [theirs, *monitors] if first else [*monitors, theirs]
    model = ByHand() if manual else Research(network())
    fit(model, loader(torch.randn(8, 6)), callbacks, log_every_n_steps=1)
    assert theirs.mode.calls == 2
    assert [sites(monitor) for monitor in monitors] == [["network.1"]] * len(monitors)
    assert torch._C._len_torch_function_stack() == 0


class InTwoPasses(ByHand):
    """Divides its loss by hand."""

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        for part in (slice(None, 2), slice(2, None)):
            loss = F.cross_entropy(self.network(batch[0][part]), batch[1][part])
            self.manual_backward(loss / 2)
        optimizer.step()


@pytest.mark.parametrize("make", [lambda: Research(network()), ByHand, InTwoPasses])
def test_operations_can_be_counted_all_the_while(make):
    doctor = TrainingDoctor(every_n_steps=1)
    with FlopCounterMode(display=False) as counted:
        fit(make(), loader(torch.randn(32, 6)), [doctor], log_every_n_steps=1)
    assert not doctor.failed
    assert doctor.gradients.total_norm > 0
    assert counted.get_total_flops() > 0


class Listing(TorchFunctionMode):
    """The name of each call."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.calls.append(function.__name__)
        return function(*args, **(kwargs or {}))


def test_a_mode_around_an_observers_sees_nothing_of_what_it_does_to_look():
    def fail(error):
        raise error

    weight = nn.Parameter(torch.randn(5, 6))
    found = []
    for observer in (None, ActivationObserver(["relu"], lambda *call: call[2].amax(0), fail)):
        with Listing() as theirs:
            if observer:
                observer.start()
            F.linear(F.relu(F.linear(torch.ones(8, 6), weight)), torch.ones(3, 5))
            if observer:
                observer.stop()
                assert len(observer.drain()) == 1
        found.append(theirs.calls)
    assert found[0] == found[1] != []
