"""Programs in which something stops being a number."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp
from programs import classification
from scores import accuracy, binary_accuracy, outputs
from torch import Tensor, nn


class HandMadeLoss(LightningModule):
    """Binary cross-entropy as the textbook writes it."""

    def __init__(self, stable: bool) -> None:
        super().__init__()
        self.layers, self.stable = mlp([30, 64, 64, 1]), stable

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch[0], batch[1].float()
        if self.stable:
            return F.binary_cross_entropy_with_logits(self(x), y)
        p = torch.sigmoid(self(x))
        loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
        self.log("bce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def hand_made_loss(stable: bool = False) -> Program:
    data = standardized(samples.cancer())
    module = HandMadeLoss(stable)
    train, _ = loaders(data, 16)
    return Program(module, train, None, 20, partial(binary_accuracy, module, data))


class Siamese(LightningModule):
    """Distances of pairs; ``epsilon`` keeps the root of 0 from having no slope."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.embed, self.epsilon = mlp([64, 64, 16]), epsilon

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.embed(x)
        return code

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        other = torch.randint(len(x), (len(x),))
        square = (self(x) - self(x[other])).square().sum(1)
        distance = torch.sqrt(square + self.epsilon)
        near = (y == y[other]).float()
        loss = near * distance**2 + (1 - near) * F.relu(2 - distance) ** 2
        self.log("contrastive_loss", loss.mean())
        return loss.mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def nearest_accuracy(module: LightningModule, data: Samples) -> float:
    """Of the label of the nearest code."""
    known, new = outputs(module, data.x), outputs(module, data.x_test)
    if not new.isfinite().all():
        return 0.0
    nearest = torch.cdist(new, known).argmin(1)
    return (data.y[nearest] == data.y_test).float().mean().item()


def siamese(epsilon: float = 0.0) -> Program:
    data = samples.digits()
    module = Siamese(epsilon)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(nearest_accuracy, module, data))


def missing_values(filled: bool = False) -> Program:
    """One measurement in two thousand is missing."""
    data = standardized(samples.cancer())
    generator = torch.Generator().manual_seed(1)
    missing = torch.rand(data.x.shape, generator=generator) < 1 / 2000
    x = data.x.masked_fill(missing, 0.0 if filled else torch.nan)
    return classification(data._replace(x=x), mlp([30, 32, 2]), adam(3e-3), batch_size=16)


def constant_feature(epsilon: float = 0.0) -> Program:
    """Standardised by hand; some pixels of the digits are always blank."""
    data = samples.digits()
    mean, deviation = data.x.mean(0), data.x.std(0)
    scale = deviation + epsilon
    data = data.with_inputs((data.x - mean) / scale, (data.x_test - mean).clamp(-1, 1) / scale)
    return classification(data, mlp([64, 128, 10]))


class Counts(LightningModule):
    """Poisson regression; the rate is the exponential of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.model = mlp([8, 32, 1])

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, count = batch
        rate = torch.exp(self(x))
        loss = (rate - count * torch.log(rate)).mean()
        self.log("poisson_nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def counts(scale: float = 200.0) -> Program:
    """Counts of visitors by features that are in metres and in kilometres."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(1200, 8, generator=generator)
    y = torch.poisson(torch.exp(0.5 * x[:, 0] - 0.5 * x[:, 1] + 0.5), generator=generator)
    data = samples.split(scale * x, y)
    module = Counts()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(poisson_loss, module, data))


def poisson_loss(module: LightningModule, data: Samples) -> float:
    return F.poisson_nll_loss(outputs(module, data.x_test), data.y_test).item()


class HandMadeSoftmax(LitClassifier):
    """A softmax by hand, in half precision because that is fast."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__(network, adam(3e-3))
        self.precision = dtype

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        powers = torch.exp(self(x).to(self.precision))
        shares = (powers / powers.sum(1, keepdim=True)).float()
        return -torch.log(shares[torch.arange(len(y)), y] + 1e-6).mean()


def half_precision(dtype: torch.dtype = torch.float16) -> Program:
    data = samples.digits()
    module = HandMadeSoftmax(mlp([64, 128, 10]), dtype)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


DIGITS = Goal("accuracy", at_least=0.88)
CASES = (
    Case(
        "cancer-hand-made-loss", Goal("accuracy", at_least=0.9), hand_made_loss,
        ("non_finite", "output_loss_mismatch"), partial(hand_made_loss, True),
    ),
    Case("siamese-distance-of-zero", DIGITS, siamese, ("non_finite",), partial(siamese, 1e-8)),
    Case(
        "cancer-missing-values", DIGITS, missing_values, ("non_finite",),
        partial(missing_values, True), fast=True,
    ),
    Case(
        "digits-constant-feature", DIGITS, constant_feature, ("non_finite",),
        partial(constant_feature, 0.1),
    ),
    Case(
        "counts-raw-features", Goal("Poisson loss", at_most=0.6), counts,
        ("non_finite", "unnormalized_input", "exploding_gradient", "learning_rate_too_high"),
        partial(counts, 1.0),
    ),
    Case(
        "digits-half-precision-softmax", DIGITS, half_precision, ("non_finite",),
        partial(half_precision, torch.float32), sometimes=True,
    ),
)  # fmt: skip
