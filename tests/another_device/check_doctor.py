"""The doctor on an accelerator: only reports wait for it, and it says what it says of a CPU."""

import pytest
import torch
import torch.nn.functional as F
from device import listening, on_device
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.losses import batch_reading
from torchvitals.callbacks.diagnosing.losses.loss_reading import read_loss

SAMPLES, BATCH = 640, 8
MAY_WAIT = {
    "_report",  # of a step that is judged
    "_close_steps",  # at the end of a window for dead units
    "_describe_unread",  # in the first step, of a loss that is not read batch by batch
    "are_labels",  # in the first step
    "on_validation_start", "on_validation_end", "on_fit_start", "on_train_start", "on_train_end",
    "teardown",
}  # fmt: skip


class Module(LightningModule):
    def __init__(self, network, loss, lr=0.01):
        super().__init__()
        self.network, self.loss, self.lr = network, loss, lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss(self.network(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss(self.network(x), y))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(20, 8), nn.LSTM(8, 16, batch_first=True)
        self.out = nn.Linear(16, 3)

    def forward(self, x):
        return self.out(self.lstm(self.embedding(x))[0][:, -1])


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.embedding, self.encoder = nn.Embedding(20, 16), nn.TransformerEncoder(layer, 2)
        self.out = nn.Linear(16, 20)

    def forward(self, x):
        return self.out(self.encoder(self.embedding(x))).transpose(1, 2)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True), nn.Flatten(), nn.Linear(288, 16),
        nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 3),
    )  # fmt: skip


def squashed():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, 16), nn.Sigmoid(), nn.Linear(16, 1), nn.Sigmoid(),
        nn.Flatten(0),
    )  # fmt: skip


def by_hand(prediction, target):
    return (prediction - target).square().mean() + 0.1 * (prediction - target).abs().mean()


def data(kind):
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(20, (SAMPLES, 12), generator=generator)
    x = words if kind == "words" else torch.randn(SAMPLES, 3, 8, 8, generator=generator)
    return x, generator


def classes(generator):
    return torch.randint(3, (SAMPLES,), generator=generator)


def shares(generator):
    return torch.rand(SAMPLES, 3, generator=generator).softmax(1)


def flags(generator, *columns):
    return torch.randint(2, (SAMPLES, *columns), generator=generator).float()


def values(generator):
    return torch.randn(SAMPLES, 3, generator=generator)


def counts(generator):
    return torch.randint(5, (SAMPLES, 3), generator=generator).float()


def words(generator):
    return torch.randint(20, (SAMPLES, 12), generator=generator)


CASES = {
    "classes": (convolutional, nn.CrossEntropyLoss, "images", classes),
    "soft classes": (convolutional, nn.CrossEntropyLoss, "images", shares),
    "log-softmax": (
        lambda: nn.Sequential(convolutional(), nn.LogSoftmax(1)), nn.NLLLoss, "images", classes,
    ),
    "labels": (convolutional, nn.BCEWithLogitsLoss, "images", lambda g: flags(g, 3)),
    "one probability": (squashed, nn.BCELoss, "images", flags),
    "values": (convolutional, nn.MSELoss, "images", values),
    "values, Huber": (convolutional, nn.HuberLoss, "images", values),
    "values, by hand": (convolutional, lambda: by_hand, "images", values),
    "counts": (convolutional, nn.PoissonNLLLoss, "images", counts),
    "recurrent": (Tagger, lambda: F.cross_entropy, "words", classes),
    "attention": (LanguageModel, lambda: nn.CrossEntropyLoss(ignore_index=0), "words", words),
}  # fmt: skip


def train(case, *, lr=0.01, **arguments):
    make, loss, kind, targets = CASES[case]
    torch.manual_seed(0)
    x, generator = data(kind)
    batches = DataLoader(TensorDataset(x, targets(generator)), batch_size=BATCH)
    doctor, model = TrainingDoctor(), Module(make(), loss(), lr)
    trainer = quiet_trainer(callbacks=[doctor], **arguments)
    trainer.fit(model, batches, batches)
    assert trainer.global_step == SAMPLES // BATCH
    return doctor, model


@pytest.mark.parametrize("case", CASES)
def test_only_reports_wait_for_the_device(case):
    with listening("wait") as waits:
        doctor, _ = train(case, **on_device())
    assert not doctor.failed
    assert {event for event in waits if MAY_WAIT.isdisjoint(event.functions)} == set()
    assert any("_report" in event.functions for event in waits)


def test_a_wait_in_a_step_is_caught(monkeypatch):
    def impatient(call):
        call.prediction.sum().item()
        return read_loss(call)

    monkeypatch.setattr(batch_reading, "read_loss", impatient)
    with listening("wait") as waits:
        train("classes", **on_device())
    caught = [event for event in waits if MAY_WAIT.isdisjoint(event.functions)]
    assert caught
    assert {event.operation for event in caught} == {"item"}


@pytest.mark.parametrize("case", ["classes", "labels", "values", "recurrent", "attention"])
@pytest.mark.parametrize("lr", [0.01, 3.0])
def test_it_says_what_it_says_of_a_cpu(case, lr):
    doctors = [train(case, lr=lr, **where)[0] for where in ({}, on_device())]
    expected, observed = ([(d.problem, d.severity, d.layer) for d in x.diagnoses] for x in doctors)
    assert observed == expected
