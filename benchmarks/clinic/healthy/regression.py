"""Regressions that reach what can be reached, with every kind of target and loss."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import Optimizer, adam, mlp, sgd
from programs import classification, regression
from scores import outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


def friedman(loss: Any = F.mse_loss, **arguments: Any) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    return regression(data, mlp([10, 64, 64, 1]), adam(3e-3), loss=loss, **arguments)


def unscaled(scale: float, optimizer: Optimizer) -> Program:
    """Targets as they are, and an optimiser that fits their scale."""
    data = standardized(samples.linear_targets(scale))
    return regression(data, mlp([20, 64, 1]), optimizer, epochs=20)


class Rescaled(LightningModule):
    """Learns in units of its targets, and predicts in millions."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.net = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, 0] * self.deviation + self.mean

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x) / self.deviation, y / self.deviation)
        self.log("scaled_mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def millions() -> Program:
    data = standardized(samples.friedman())
    data = data._replace(y=1e6 * data.y, y_test=1e6 * data.y_test)
    module = Rescaled(data.y.mean().item(), data.y.std().item())
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(r2, module, data))


def parabola() -> Program:
    """Published as the cure of a learning rate too high, with four times the values."""
    x = torch.arange(0, 5, 0.025)[:, None]
    noise = torch.randn(len(x), generator=torch.Generator().manual_seed(0)) ** 3
    data = split(x, 5 * x[:, 0] ** 2 + noise, train=0.8)
    return regression(data, mlp([1, 50, 30, 1]), sgd(1e-4), batch_size=16, epochs=40)


def diabetes() -> Program:
    data = scaled_targets(standardized(samples.diabetes()))
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.1)
    return regression(data, mlp([10, 16, 1]), optimizer, batch_size=16, epochs=20)


class Gaussian(LightningModule):
    """Predicts a mean and a variance; its loss falls below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp([10, 64, 64, 2], nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mean, log_variance = self.body(batch[0]).unbind(1)
        loss = F.gaussian_nll_loss(mean, batch[1], log_variance.exp())
        self.log("nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def gaussian() -> Program:
    data = scaled_targets(standardized(samples.friedman(0.1)))
    data = data._replace(y=0.2 * data.y, y_test=0.2 * data.y_test)
    module = Gaussian()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(r2, module, data))


class Quantiles(LightningModule):
    """Three quantiles at once, by the pinball loss."""

    levels = (0.1, 0.5, 0.9)

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([10, 64, 64, 3])

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, 1]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Any]:
        x, y = batch
        error = y[:, None] - self.net(x)
        level = error.new_tensor(self.levels)
        return {"loss": torch.maximum(level * error, (level - 1) * error).mean()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def quantiles() -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    module = Quantiles()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(r2, module, data))


def counts() -> Program:
    """Poisson regression with the logarithm of the rate as output."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(1600, 8, generator=generator)
    rate = torch.exp(0.6 * x[:, 0] - 0.6 * x[:, 1] + 1.5)
    data = split(x, torch.poisson(rate, generator=generator))
    return regression(
        data, mlp([8, 32, 1]), adam(3e-3), epochs=12, loss=nn.PoissonNLLLoss(), score=poisson_r2
    )


def poisson_r2(module: LightningModule, data: Samples) -> float:
    error = F.mse_loss(outputs(module, data.x_test).exp(), data.y_test)
    return (1 - error / data.y_test.var(correction=0)).item()


class Ordinal(LightningModule):
    """Five grades in order, by four cumulative logits."""

    def __init__(self) -> None:
        super().__init__()
        self.score = mlp([10, 32, 1])
        self.cuts = nn.Parameter(torch.linspace(-2, 2, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.score(x) - self.cuts

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, grade = batch
        above = (grade[:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(x), above)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def ordinal() -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    edges = torch.tensor([-1.0, -0.3, 0.3, 1.0])
    data = data._replace(
        y=torch.bucketize(data.y, edges), y_test=torch.bucketize(data.y_test, edges)
    )
    module = Ordinal()
    train, _ = loaders(data, 32)

    def score() -> float:
        grade = (outputs(module, data.x_test) > 0).sum(1)
        return ((grade - data.y_test).abs() <= 1).float().mean().item()

    return Program(module, train, None, 12, score)


class MixedTable(LightningModule):
    """Numbers beside a category with an embedding, in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = nn.Embedding(30, 4)
        self.net = mlp([14, 64, 1], dropout=0.1)

    def forward(self, numbers: Tensor, shop: Tensor) -> Tensor:
        return self.net(torch.cat([numbers, self.shop(shop)], 1))[:, 0]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch["numbers"], batch["shop"]), batch["sales"])
        self.log("mae", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def mixed_table() -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    generator = torch.Generator().manual_seed(1)
    effect = torch.randn(30, generator=generator)
    shops = torch.randint(30, (1500,), generator=generator)
    a, b = shops[: len(data.y)], shops[len(data.y) :]
    y, y_test = data.y + effect[a], data.y_test + effect[b]
    rows = [{"numbers": x, "shop": s, "sales": t} for x, s, t in zip(data.x, a, y, strict=True)]
    module = MixedTable()
    train = DataLoader(rows, batch_size=32, shuffle=True)  # type: ignore[arg-type]

    def score() -> float:
        module.eval()
        with torch.no_grad():
            error = F.mse_loss(module(data.x_test, b), y_test)
        return (1 - error / y_test.var()).item()

    return Program(module, train, None, 20, score)


class SineFit(nn.Module):
    """Features of sines, so that a small network can follow a fast curve."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([16, 32, 1], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        angles = x * torch.arange(1, 9)
        return self.net(torch.cat([angles.sin(), angles.cos()], 1))


def curve() -> Program:
    generator = torch.Generator().manual_seed(0)
    x = 6.28 * torch.rand(800, 1, generator=generator)
    y = torch.sin(5 * x[:, 0]) + 0.5 * torch.cos(2 * x[:, 0])
    return regression(split(x, y), SineFit(), adam(5e-3), epochs=15)


def sorted_by_hinge() -> Program:
    """A hinge loss, which is 0 for most samples in the end."""
    data = standardized(samples.cancer())
    return classification(
        data, mlp([30, 16, 2]), sgd(0.02, 0.9), epochs=12, criterion=F.multi_margin_loss
    )


FRIEDMAN = Goal("R2", at_least=0.85)
CASES = (
    Case("friedman-plain", FRIEDMAN, friedman),
    Case("friedman-huber", FRIEDMAN, partial(friedman, F.huber_loss)),
    Case("friedman-absolute", FRIEDMAN, partial(friedman, F.l1_loss)),
    Case(
        "friedman-big-batches", FRIEDMAN, partial(friedman, batch_size=256, epochs=80)
    ),
    Case("friedman-in-millions", FRIEDMAN, millions, fast=True),
    Case("linear-tiny-targets", Goal("R2", at_least=0.8), partial(unscaled, 0.05, sgd(0.02, 0.9))),
    Case("linear-hundreds", Goal("R2", at_least=0.8), partial(unscaled, 300.0, adam(0.05))),
    Case("parabola-published", Goal("R2", at_least=0.9), parabola),
    Case("diabetes-small-network", Goal("R2", at_least=0.35), diabetes),
    Case("friedman-gaussian", FRIEDMAN, gaussian),
    Case("friedman-quantiles", FRIEDMAN, quantiles),
    Case("counts-poisson", Goal("R2", at_least=0.5), counts),
    Case("grades-ordinal", Goal("accuracy within one", at_least=0.95), ordinal),
    Case("sales-of-shops", Goal("R2", at_least=0.75), mixed_table),
    Case("curve-of-sines", Goal("R2", at_least=0.95), curve),
    Case("cancer-hinge", Goal("accuracy", at_least=0.92), sorted_by_hinge),
)  # fmt: skip
