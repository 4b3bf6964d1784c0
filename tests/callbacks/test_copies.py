"""Callbacks are copied and pickled in the midst of a step, and the copies used for another fit."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    EarlyStopping,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)


class Network(nn.Module):
    """A module, a function, and sequences."""

    def __init__(self):
        super().__init__()
        self.rnn, self.norm = nn.LSTM(3, 8, batch_first=True), nn.BatchNorm1d(8)
        self.act, self.out = nn.ReLU(), nn.Linear(8, 3)

    def forward(self, x):
        return self.out(F.relu(self.act(self.norm(self.rnn(x)[0][:, -1]))))


class Copying(LightningModule):
    """Keeps a copy of each callback of steps in which watching begins, goes on and is reported."""

    def __init__(self, make_copy=None):
        super().__init__()
        torch.manual_seed(0)
        self.network, self.make_copy, self.taken = Network(), make_copy, []

    def training_step(self, batch, batch_idx):
        logits = self.network(batch[0])
        if self.make_copy and self.global_step in (0, 1, 24):
            self.taken.append((state(self.callback), self.make_copy(self.callback)))
        loss = F.cross_entropy(logits, batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    @property
    def callback(self):
        return self.trainer.callbacks[0]

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=2.0)


def fit(callback, folder, make_copy=None):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(40, 6, 3, generator=generator)
    data = DataLoader(TensorDataset(x, torch.arange(40) % 3), batch_size=4)
    model = Copying(make_copy)
    logger = CSVLogger(folder)
    quiet_trainer(callbacks=[callback], max_epochs=3, logger=logger).fit(model, data, data)
    return model


def state(callback):
    """Its state as text, without what differs from one fit to the other."""
    found = copy.deepcopy(callback.state_dict())
    found.pop("minutes", None)
    return str(found)


CALLBACKS = {
    "doctor": TrainingDoctor,
    "dead ReLUs": DeadReLUMonitor,
    "dead ReLUs in windows": lambda: DeadReLUMonitor(every_n_steps=8),
    "activations": lambda: ActivationMonitor(5),
    "gradients": lambda: GradientNormMonitor(5),
    "updates": lambda: UpdateRatioMonitor(5),
    "early stopping": lambda: EarlyStopping("val_loss", patience=99),
}


def unpickled(callback):
    return pickle.loads(pickle.dumps(callback))


@pytest.mark.parametrize("make", CALLBACKS.values(), ids=CALLBACKS.keys())
@pytest.mark.parametrize("make_copy", [copy.deepcopy, unpickled])
def test_a_copy_from_the_midst_of_a_step_knows_what_was_found_and_fits_again(
    make, make_copy, tmp_path
):
    expected = make()
    fit(expected, tmp_path)
    callback = make()
    model = fit(callback, tmp_path, make_copy)
    assert len(model.taken) == 3
    for then, copied in model.taken:
        assert state(copied) == then
        fit(copied, tmp_path)
        assert not getattr(copied, "failed", False)
        assert_alike(copied, expected)
    # The copies have taken nothing from the fit that they were made in.
    assert_alike(callback, expected)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch._C._len_torch_function_stack() == 0


def assert_alike(one, other):
    if isinstance(one, TrainingDoctor):
        assert one.announced == other.announced != []
        assert one.diagnoses == other.diagnoses
        assert one.gradients.profile == other.gradients.profile
    elif isinstance(one, EarlyStopping):
        assert one.judge.first.values == other.judge.first.values
        assert one.best_step == other.best_step
    else:
        assert state(one) == state(other)
