"""What agronomists and herdsmen train, as it should be."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import farms
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, outputs
from torch import Tensor, nn


def coloured(data: Samples) -> Samples:
    """Each colour to mean 0 and deviation 1."""
    mean = data.x.mean((0, 2, 3), keepdim=True)
    deviation = data.x.std((0, 2, 3), keepdim=True)
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


def block(before: int, after: int, norm: bool = True) -> list[nn.Module]:
    layers = [nn.Conv2d(before, after, 3, padding=1, bias=not norm)]
    return [*layers, *([nn.BatchNorm2d(after)] if norm else []), nn.ReLU(inplace=True)]


class LeafNet(LightningModule):
    """Three blocks, a global average, and a dictionary for a batch."""

    def __init__(self, steps: int, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            *block(3, 16), nn.MaxPool2d(2), *block(16, 32), nn.MaxPool2d(2), *block(32, 32)
        )
        self.head = nn.Linear(32, 5)

    def forward(self, picture: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(picture).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), self.hparams.lr, 0.9, weight_decay=5e-4, nesterov=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams.lr, total_steps=self.hparams.steps
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def leaf_net() -> Program:
    data = coloured(farms.leaves()[0])
    train, test = loaders(data, 32)
    module = LeafNet(6 * len(train))
    return Program(module, train, test, 6, partial(accuracy, module, data))


class Motion(LightningModule):
    """A recurrent network over a cow's movements, read at all of its moments."""

    def __init__(self, cell: str = "RNN", hidden: int = 64, lr: float = 3e-3) -> None:
        super().__init__()
        self.rnn = getattr(nn, cell)(3, hidden, batch_first=True)
        self.out = nn.Linear(2 * hidden, 5)
        self.lr = lr

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        both: Tensor = self.out(torch.cat([states.mean(1), states.std(1)], 1))
        return both

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self(batch[0]), batch[1])}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def standing_motion() -> Samples:
    """Each direction scaled by itself over cows and moments."""
    data = farms.collars()
    mean, deviation = data.x.mean((0, 1)), data.x.std((0, 1))
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


def motion(module: LightningModule, epochs: int, **trainer: Any) -> Program:
    data = standing_motion()
    score = partial(accuracy, module, data)
    return Program(module, *loaders(data, 32), epochs, score, trainer)


class Yield(LightningModule):
    """The week's milk of a cow, all days at once, what it gives today being added."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.week = nn.Linear(32, 7)
        self.loss = nn.SmoothL1Loss(beta=0.5)

    def forward(self, past: Tensor) -> Tensor:
        _, last = self.gru(past[..., None])
        return past[:, -1:] + self.week(last[0])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        past, future = batch
        loss: Tensor = self.loss(self(past), future)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def milk() -> Program:
    data, module = farms.milk(), Yield()

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, *loaders(data, 32), 10, score, {"gradient_clip_val": 1.0})


def sick_share() -> Program:
    """What part of a leaf is sick: a share from 0 to 1 as the target of a logit."""
    data, y, y_test = farms.leaves()
    data = coloured(data)._replace(y=y, y_test=y_test)
    network = nn.Sequential(
        *block(3, 16, False),
        *block(16, 16, False),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(256, 1),
    )

    def score(module: LightningModule, data: Samples) -> float:
        found = outputs(module, data.x_test).sigmoid().flatten()
        return (1 - F.mse_loss(found, data.y_test) / data.y_test.var()).item()

    return regression(
        data, network, adam(2e-3), epochs=10, loss=F.binary_cross_entropy_with_logits, score=score
    )


def beans_tanh() -> Program:
    network = mlp([11, 40, 40, 40, 40, 40, 7], nn.Tanh)
    return classification(standardized(farms.beans()), network, adam(1e-3), epochs=14)


def beans_linear() -> Program:
    """As logistic regression was taught: plain descent, a rate of a half, no hidden layer."""
    network = nn.Linear(11, 7)
    return classification(standardized(farms.beans()), network, sgd(0.5), batch_size=64, epochs=14)


def harvest(noise: float, epochs: int) -> Program:
    data = scaled_targets(farms.harvests(noise))
    network = mlp([8, 64, 64, 1], nn.ReLU, dropout=0.1)
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.01)
    return regression(data, network, optimizer, epochs=epochs)


CASES = (
    Case("leaves-one-cycle-to-a-tenth", Goal("accuracy", at_least=0.93), leaf_net),
    Case(
        "collars-plain-recurrence-read-throughout", Goal("accuracy", at_least=0.85),
        lambda: motion(Motion(), 16, gradient_clip_val=1.0),
    ),
    Case("milk-week-ahead-added-to-today", Goal("r2", at_least=0.7), milk),
    Case("leaves-sick-share-behind-a-logit", Goal("r2", at_least=0.8), sick_share),
    Case("beans-five-layers-of-tanh", Goal("accuracy", at_least=0.85), beans_tanh),
    Case("beans-linear-rate-of-a-half", Goal("accuracy", at_least=0.85), beans_linear),
    Case("harvests-mostly-weather-unseen", Goal("r2", at_least=0.27), lambda: harvest(10.0, 5)),
)  # fmt: skip
