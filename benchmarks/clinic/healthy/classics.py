"""What lectures begin with: logistic regression, bumps, margins, rising effects, one class."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import records
from data_sets.samples import (
    Samples,
    cancer,
    loaders,
    moons,
    scaled_targets,
    split,
    standardized,
    wine,
)
from lightning.pytorch import LightningModule
from programs import classification
from scores import binary_accuracy, outputs, r2
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class ByHand(LightningModule):
    """Logistic regression from zeros, as the first exercise wants it."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(features))
        self.b = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w + self.b

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        signed = 2.0 * y - 1
        loss = torch.log1p(torch.exp(-signed * self(x))).mean()
        self.log("J", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def by_hand() -> Program:
    data = standardized(cancer())
    module = ByHand(30)
    return Program(
        module, loaders(data, len(data.x))[0], None, 200, partial(binary_accuracy, module, data)
    )


class Bumps(nn.Module):
    """Gaussian bumps around centres that k-means found; their widths are learnt."""

    def __init__(self, x: Tensor, count: int) -> None:
        super().__init__()
        found = KMeans(count, n_init=3, random_state=0).fit(x.numpy()).cluster_centers_
        self.centres = nn.Parameter(torch.tensor(found, dtype=torch.float32))
        self.log_width = nn.Parameter(torch.full((count,), math.log(0.4)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(x, self.centres).square() / (2 * self.log_width.exp() ** 2))


def radial(data: Samples, count: int = 16) -> Program:
    network = nn.Sequential(Bumps(data.x, count), nn.Linear(count, 2))
    return classification(data, network, partial(torch.optim.Adam, lr=0.02), epochs=15)


def margins() -> Program:
    """A linear machine of many classes; its loss is 0 where all margins are wide enough."""
    optimizer = partial(torch.optim.SGD, lr=0.02, momentum=0.9, weight_decay=1e-2)
    return classification(
        standardized(wine()), nn.Linear(13, 3), optimizer, batch_size=16, epochs=25,
        criterion=nn.MultiMarginLoss(),
    )  # fmt: skip


class Rising(nn.Module):
    """A linear layer whose weights are positive, whatever its parameters are."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.randn(after, before) - 1.5)
        self.bias = nn.Parameter(torch.randn(after) * 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, F.softplus(self.raw), self.bias)


class Dose(LightningModule):
    """A response that never falls when a dose rises."""

    def __init__(self) -> None:
        super().__init__()
        self.response = nn.Sequential(
            Rising(3, 24), nn.Tanh(), Rising(24, 12), nn.Tanh(), Rising(12, 1)
        )

    def forward(self, dose: Tensor) -> Tensor:
        found: Tensor = self.response(dose)
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        dose, effect = batch
        loss = F.huber_loss(self(dose), effect)
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        dose, effect = batch
        self.log("huber_held_out", F.huber_loss(self(dose), effect))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def dose() -> Program:
    generator = torch.Generator().manual_seed(5)
    x = 2 * torch.rand(1600, 3, generator=generator) - 1
    y = torch.sigmoid(4 * x[:, 0]) + 0.6 * torch.exp(x[:, 1]) + 0.5 * (x[:, 2] + 1).sqrt()
    y = y + 0.25 * torch.randn(1600, generator=generator)
    data = scaled_targets(split(x, y))
    module = Dose()
    return Program(module, *loaders(data, 40), 14, partial(r2, module, data))


class OneClass(LightningModule):
    """Sound machines near one point, which was fixed at the start; no biases (deep SVDD)."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            nn.Linear(16, 48, bias=False), nn.LeakyReLU(0.1), nn.Linear(48, 12, bias=False)
        )
        with torch.no_grad():
            centre = self.phi(x).mean(0)
        self.register_buffer("centre", torch.where(centre.abs() < 0.1, 0.1, centre))

    def forward(self, x: Tensor) -> Tensor:
        return (self.phi(x) - self.centre).square().sum(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self(batch[0]).mean()
        self.log("svdd", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4, weight_decay=1e-5)


def one_class() -> Program:
    sound, others, ill = records.sensors()
    mean, deviation = sound.mean(0), sound.std(0)
    sound, others = (sound - mean) / deviation, (others - mean) / deviation
    module = OneClass(sound)

    def score() -> float:
        return float(roc_auc_score(ill, outputs(module, others)))

    return Program(module, DataLoader(TensorDataset(sound), 64, shuffle=True), None, 12, score)


CASES = (
    Case("cancer-logistic-from-zeros", Goal("accuracy", at_least=0.95), by_hand),
    Case("moons-bumps-around-centres", Goal("accuracy", at_least=0.95), partial(radial, moons())),
    Case("wine-linear-of-many-margins", Goal("accuracy", at_least=0.95), margins),
    Case("doses-whose-effects-only-rise", Goal("R2", at_least=0.7), dose),
    Case("sensors-near-one-point", Goal("AUROC", at_least=0.75), one_class),
)
