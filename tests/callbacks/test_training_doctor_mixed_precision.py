"""The doctor where 16-bit mixed precision scales losses and converts what layers get."""

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.plugins import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import TrainingDoctor


class Noise(LightningModule):
    """Learns labels of which a fifth are wrong, slowly."""

    def __init__(self, network, *, automatic=True):
        super().__init__()
        self.automatic_optimization, self.network = automatic, network

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self.network(batch[0]), batch[1])
        if self.automatic_optimization:
            return loss
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return None

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))


def loaders():
    torch.manual_seed(1)
    x = torch.randn(640, 8)
    y = (x[:, 0] + x[:, 1] > 0).long()
    y = torch.where(torch.rand(640) < 0.2, 1 - y, y)
    train = TensorDataset(x[:512], y[:512])
    order = torch.Generator().manual_seed(2)
    held_out = DataLoader(TensorDataset(x[512:], y[512:]), 64)
    return DataLoader(train, 32, shuffle=True, generator=order), held_out


def scaled(init_scale=2.0**16):
    """Of a scale that overflows at first, steps are skipped until it fits."""
    scaler = torch.amp.GradScaler("cpu", init_scale=init_scale, backoff_factor=2.0**-15)
    return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}


def examined(model, *, doctor=None, **settings):
    doctor = doctor or TrainingDoctor()
    quiet_trainer(max_epochs=8, callbacks=[doctor], **settings).fit(model, *loaders())
    assert not doctor.failed
    return doctor


@pytest.mark.parametrize(("automatic", "accumulated"), [(True, 1), (True, 4), (False, 1)])
def test_losses_are_read_without_their_scale(automatic, accumulated):
    plain, mixed = (
        examined(Noise(mlp(), automatic=automatic), accumulate_grad_batches=accumulated, **settings)
        for settings in ({}, scaled())
    )
    known, found = plain._observation.vitals, mixed._observation.vitals
    assert len(known.losses) == 128
    assert found.losses == pytest.approx(known.losses, rel=0.02)
    assert found.data_losses == pytest.approx(known.data_losses, rel=0.02)
    assert max(found.penalty_shares) < 1e-4
    assert max(map(abs, found.other_terms)) < 1e-4
    assert plain.diagnoses == mixed.diagnoses == []


def test_steps_that_are_skipped_at_first_alarm_nobody():
    doctor = examined(Noise(mlp()), **scaled(2.0**40))
    assert 0 < doctor.gradients.skipped_steps < 5
    assert doctor.diagnoses == []


class Sequences(nn.Module):
    """A recurrent network behind a layer whose outputs mixed precision converts."""

    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Linear(1, 8), nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        outputs, _ = self.rnn(self.embed(x.unsqueeze(-1)))
        return self.head(outputs[:, -1])


def test_a_recurrent_network_of_mixed_precision_is_watched():
    torch.manual_seed(0)
    doctor = examined(Noise(Sequences()), precision="bf16-mixed")
    assert doctor._observation.vitals.recurrent_layer == "network.rnn"
    assert len(doctor._observation.vitals.time_profile) == 8


def test_training_in_half_precision_is_the_same_with_and_without():
    found = []
    for callbacks in ([], [TrainingDoctor()]):
        model = Noise(mlp())
        train, _ = loaders()
        quiet_trainer(max_epochs=4, callbacks=callbacks, **scaled(2.0**40)).fit(model, train)
        found.append([parameter.detach().clone() for parameter in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
