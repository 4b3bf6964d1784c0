"""A fit that has no step to make: nothing is written or kept, and the next one is as any."""

import pytest
import torch
from helpers.dead_units import Research, loader
from helpers.training import quiet_trainer
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)


def network():
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def monitors(callback):
    return list(callback._monitors) if isinstance(callback, TrainingDoctor) else [callback]


def parameters_held(monitor):
    tables = [value for value in vars(monitor).values() if isinstance(value, dict)]
    return [key for table in tables for key in table if isinstance(key, nn.Parameter)]


@pytest.mark.parametrize("limit", [{"limit_train_batches": 0}, {"max_steps": 0}, {"max_epochs": 0}])
@pytest.mark.parametrize(
    "make",
    [GradientNormMonitor, UpdateRatioMonitor, DeadReLUMonitor, ActivationMonitor, TrainingDoctor],
)
def test_a_fit_without_steps_leaves_no_file_open_and_no_model_held(make, limit, tmp_path):
    callback, model = make(), Research(network())
    trainer = quiet_trainer(callbacks=[callback], logger=CSVLogger(tmp_path), **limit)
    trainer.fit(model, loader(torch.randn(8, 6)))
    for monitor in monitors(callback):
        assert monitor._reporter._file is None
        assert parameters_held(monitor) == []
    quiet_trainer(callbacks=[callback]).fit(Research(network()), loader(torch.randn(8, 6)))
    assert not callback.failed
