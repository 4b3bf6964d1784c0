"""Faults of tables from wards: units, penalties, slow averages, codes of labels, hasty steps."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import wards
from data_sets.samples import Samples, loaders, split, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import regression
from scores import binary_accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn


class Risk(LightningModule):
    """Columns in their own units; the first norm standardises them."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.scale = nn.BatchNorm1d(8, momentum=momentum)
        self.fc1, self.bn1 = nn.Linear(8, 48), nn.BatchNorm1d(48, momentum=momentum)
        self.fc2, self.bn2 = nn.Linear(48, 24), nn.BatchNorm1d(24, momentum=momentum)
        self.out = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.fc1(self.scale(x))))
        logit: Tensor = self.out(F.relu(self.bn2(self.fc2(x))))
        return logit.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("val_bce", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def auroc(module: LightningModule, data: Samples) -> float:
    found = outputs(module, data.x_test).nan_to_num()
    return float(roc_auc_score(data.y_test, found))


def risk(momentum: float) -> Program:
    """Another library's 0.999 is the share that is kept: 0.001 here, of 400 steps too slow."""
    data = wards.bloods()
    module = Risk(momentum)

    def score() -> float:
        found = outputs(module, data.x_test)
        return F.binary_cross_entropy_with_logits(found, data.y_test.float()).item()

    return Program(module, *loaders(data, 64), 9, score)


def sugars(mixed: bool) -> Samples:
    """Milligrams to the decilitre; two wards in five wrote millimoles to the litre."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(2500, 8, generator=generator)
    y = 130 + 25 * x[:, 0] + 20 * torch.tanh(2 * x[:, 1]) + 12 * x[:, 2] * x[:, 3]
    y = y + 8 * torch.randn(2500, generator=generator)
    data = split(x, y)
    other = torch.rand(len(data.y), generator=generator) < 0.4
    return data._replace(y=torch.where(other, data.y / 18, data.y)) if mixed else data


def sugar(mixed: bool) -> Program:
    """Targets are scaled by what the training samples are like, and back for the score."""
    data = sugars(mixed)
    mean, deviation = data.y.mean(), data.y.std()
    scaled = data._replace(y=(data.y - mean) / deviation, y_test=(data.y_test - mean) / deviation)
    return regression(scaled, mlp([8, 64, 64, 1]), adam(1e-3), batch_size=32, epochs=12)


def killed(optimizer: Any) -> Program:
    """Bills in thousands, as they are."""
    data = wards.bills()
    return regression(data, mlp([7, 64, 64, 64, 64, 1]), optimizer, batch_size=64, epochs=12)


class Penalized(LightningModule):
    """A penalty of one's own, of sums of squares of whatever is a parameter."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.net = mlp([10, 64, 64, 1], nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        age: Tensor = self.net(x)
        return age.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mse = F.mse_loss(self(batch[0]), batch[1])
        penalty = sum(p.square().sum() for p in self.parameters())
        loss = mse + self.strength * penalty
        self.log_dict({"mse": mse, "penalty": penalty, "total": loss})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def penalized(strength: float) -> Program:
    data = wards.ages()
    data = data._replace(y=(data.y - 54) / 21, y_test=(data.y_test - 54) / 21)
    module = Penalized(strength)
    return Program(module, *loaders(data, 64), 12, partial(r2, module, data))


class Machine(LightningModule):
    """A support vector machine on top of a layer of features; the hinge wants -1 and 1."""

    def __init__(self, signed: bool) -> None:
        super().__init__()
        self.signed = signed
        self.features = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.svm = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        margin: Tensor = self.svm(self.features(x))
        return margin.flatten()

    def hinge(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        target = 2.0 * y - 1 if self.signed else y.float()
        return (1 - target * self(x)).clamp(min=0).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.hinge(batch)
        self.log("hinge", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("hinge_val", self.hinge(batch))
        self.log("acc_val", ((self(batch[0]) > 0) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def machine(signed: bool) -> Program:
    data = wards.bloods_scaled()
    module = Machine(signed)
    return Program(module, *loaders(data, 50), 8, partial(binary_accuracy, module, data))


class OneByOne(LightningModule):
    """One person a step, each as heavy as sixty-four were."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.net = mlp([10, 32, 32, 1], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss_step", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss_val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


CLIPPED = {"gradient_clip_val": 1.0}


def one_by_one(lr: float) -> Program:
    data = wards.ages().first(700)
    data = data._replace(y=(data.y - 54) / 21, y_test=(data.y_test - 54) / 21)
    module = OneByOne(lr)
    return Program(module, *loaders(data, 1), 3, partial(r2, module, data), CLIPPED)


def raw(scaled: bool) -> Program:
    data = standardized(wards.bloods()) if scaled else wards.bloods()
    module = Machine(signed=True)
    return Program(module, *loaders(data, 50), 8, partial(auroc, module, data))


CASES = (
    Case(
        "bloods-averages-hardly-moved", Goal("log loss", at_most=0.6), partial(risk, 0.001),
        ("train_eval_mismatch",), partial(risk, 0.1),
    ),
    Case(
        "sugars-of-two-units", Goal("R2", at_least=0.7), partial(sugar, True),
        ("inconsistent_labels",), partial(sugar, False),
    ),
    Case(
        "bills-all-alike-after-first-steps", Goal("R2", at_least=0.25), partial(killed, adam(0.3)),
        ("dead_relu", "learning_rate_too_high"), partial(killed, adam(1e-3)),
    ),
    Case(
        "ages-penalty-of-sums", Goal("R2", at_least=0.85), partial(penalized, 0.5),
        ("over_regularized",), partial(penalized, 1e-5),
    ),
    Case(
        "bloods-hinge-of-zeros-and-ones", Goal("accuracy", at_least=0.75), partial(machine, False),
        ("output_loss_mismatch", "inconsistent_labels"), partial(machine, True),
    ),
    Case(
        "ages-one-by-one-hasty", Goal("R2", at_least=0.85), partial(one_by_one, 0.1),
        ("learning_rate_too_high", "unstable_loss"), partial(one_by_one, 0.002),
    ),
    Case(
        "bloods-in-their-units", Goal("AUROC", at_least=0.8), partial(raw, False),
        ("unnormalized_input",), partial(raw, True),
    ),
)  # fmt: skip
