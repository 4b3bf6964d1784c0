"""What the monitors must hold to on a CUDA device."""

from contextlib import contextmanager

import pytest
import torch
from helpers.networks import EveryWay
from helpers.research import Research, fit, loader
from lightning.pytorch import Callback

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    UpdateRatioMonitor,
)

pytestmark = pytest.mark.gpu

INTERVAL, WARM_UP = 10, 3
STEP_HOOKS = [
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
]


def is_silent(batch_idx):
    """Whether this step neither reports nor, at its start, what the step before completed."""
    return batch_idx >= WARM_UP and batch_idx % INTERVAL not in (INTERVAL - 1, 0)


class NoWaiting(Callback):
    """Turn waiting for the device into an error while open, in each silent step."""

    def __init__(self):
        self.active, self.opened = False, 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.active = is_silent(batch_idx)

    @contextmanager
    def open(self):
        if not self.active:
            yield
            return
        self.opened += 1
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def around(self, method):
        def watched(*arguments):
            with self.open():
                return method(*arguments)

        return watched


class Watched(Research):
    """Waits for nothing in its forward and backward pass, so that an error is a monitor's."""

    def __init__(self, network, no_waiting):
        super().__init__(network, lr=0.1, momentum=0.9)
        self.no_waiting = no_waiting

    def training_step(self, batch, batch_idx):
        with self.no_waiting.open():
            return super().training_step(batch, batch_idx)

    def backward(self, loss):
        with self.no_waiting.open():
            loss.backward()


def images(count):
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("every_n_steps", [None, INTERVAL])
def test_no_step_between_reports_waits_for_the_device(every_n_steps):
    monitors = [
        monitor(every_n_steps)
        for monitor in (
            GradientNormMonitor, DeadReLUMonitor, ActivationMonitor, UpdateRatioMonitor,
        )
    ]  # fmt: skip
    no_waiting = NoWaiting()
    for monitor in monitors:
        for hook in STEP_HOOKS:
            setattr(monitor, hook, no_waiting.around(getattr(monitor, hook)))
    model = Watched(EveryWay(), no_waiting)
    data, steps = loader(images(4 * 4 * INTERVAL)), 4 * INTERVAL
    arguments = {"accelerator": "gpu", "devices": 1, "log_every_n_steps": INTERVAL}
    trainer = fit(model, data, [no_waiting, *monitors], **arguments)
    assert trainer.global_step == steps
    silent = sum(map(is_silent, range(steps)))
    assert no_waiting.opened == silent * (2 + len(STEP_HOOKS) * len(monitors))
    assert not any(monitor.failed for monitor in monitors)
    assert monitors[0].steps == monitors[-1].steps == [9, 19, 29, 39]


def test_a_monitor_that_waits_is_caught():
    class Impatient(Callback):
        def on_after_backward(self, trainer, pl_module):
            pl_module.network.out.weight.grad.norm().item()

    no_waiting, impatient = NoWaiting(), Impatient()
    impatient.on_after_backward = no_waiting.around(impatient.on_after_backward)
    model = Watched(EveryWay(), no_waiting)
    with pytest.raises(RuntimeError, match="synchronizing"):
        fit(model, loader(images(40)), [no_waiting, impatient], accelerator="gpu", devices=1)


def test_the_device_records_what_the_cpu_does():
    found = []
    for accelerator in ("cpu", "gpu"):
        torch.manual_seed(0)
        network = EveryWay()
        with torch.no_grad():
            network.hidden.bias[5] = -100.0
        gradients, updates, dead = GradientNormMonitor(1), UpdateRatioMonitor(1), DeadReLUMonitor()
        model, data = Research(network, lr=0.01), loader(images(40))
        fit(model, data, [gradients, updates, dead], accelerator=accelerator, devices=1)
        found.append((gradients.history, updates.history, dead.dead_units))
    (norms, ratios, masks), (gpu_norms, gpu_ratios, gpu_masks) = found
    for expected, observed in ((norms, gpu_norms), (ratios, gpu_ratios)):
        assert observed.keys() == expected.keys()
        for layer, values in expected.items():
            assert observed[layer] == pytest.approx(values, rel=1e-2)
    assert {site: mask.tolist() for site, mask in gpu_masks.items()} == {
        site: mask.tolist() for site, mask in masks.items()
    }
    assert masks["network.relu"][5]
