"""Tables of houses, payments and clicks, and an equation, that are trained on rightly."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, sgd
from programs import regression
from scores import balanced_accuracy, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def houses(noise: float = 0.15) -> Samples:
    return scaled_targets(standardized(surveys.houses(noise)))


def one_cycle(optimizer: torch.optim.Optimizer) -> Any:
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=660)


class Appraiser(LightningModule):
    """Scales the prices inside, and dropout everywhere."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.trunk = mlp([8, 128, 64, 1], nn.GELU, norm=nn.LayerNorm, dropout=0.1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.trunk(x)[:, 0] * self.hparams["deviation"] + self.hparams["mean"]
        return found

    def error(self, batch: list[Tensor]) -> Tensor:
        return F.mse_loss(
            (self(batch[0]) - batch[1]) / self.hparams["deviation"], torch.zeros(len(batch[1]))
        )

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.error(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.error(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)
        return [optimizer], [{"scheduler": one_cycle(optimizer), "interval": "step"}]


def appraised() -> Program:
    data = standardized(surveys.houses())
    module = Appraiser(data.y.mean().item(), data.y.std().item())
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


def batches_of_four() -> Program:
    return regression(houses(), mlp([8, 32, 32, 1]), sgd(5e-3, 0.9), batch_size=4, epochs=3)


def mostly_noise() -> Program:
    """More than half of the variance is noise, which nothing explains."""
    optimizer = adam(1e-3, weight_decay=1e-3)
    return regression(houses(0.6), mlp([8, 32, 1]), optimizer, epochs=12)


def outliers() -> Program:
    """One price in twenty lost or gained a digit."""
    data = houses()
    generator = torch.Generator().manual_seed(41)
    slipped = torch.rand(len(data.y), generator=generator) < 0.05
    factor = torch.where(torch.rand(len(data.y), generator=generator) < 0.5, 10.0, 0.1)
    raw = surveys.houses().y
    wrong = (raw * factor - raw.mean()) / raw.std()
    data = data._replace(y=torch.where(slipped, wrong, data.y))
    return regression(data, mlp([8, 64, 64, 1]), adam(2e-3), loss=nn.HuberLoss(delta=0.5))


def focal(logits: Tensor, y: Tensor, gamma: float = 2.0, alpha: float = 0.96) -> Tensor:
    """The loss of detectors: sure answers count little, seldom ones much."""
    nll = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
    p = torch.exp(-nll)
    weight = alpha * y + (1 - alpha) * (1 - y)
    return (weight * (1 - p) ** gamma * nll).mean()


class FraudDetector(LightningModule):
    """Few of many, with a focal loss, the gradients of two batches together."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(12, 32), nn.Linear(32, 32), nn.Linear(32, 1)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.1)
        found: Tensor = self.layers[-1](x)
        return found.flatten()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = focal(self(batch[0]), batch[1].float())
        self.log("focal", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", focal(self(batch[0]), batch[1].float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def fraud_focal() -> Program:
    data = surveys.payments()
    module = FraudDetector()
    score = partial(balanced_accuracy, module, data)
    return Program(module, *loaders(data, 32), 5, score, {"accumulate_grad_batches": 2})


class Mixture(LightningModule):
    """A mixture of three normal distributions for what has two answers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([1, 48, 48, 9], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        weight, mean, scale = self.net(x).chunk(3, 1)
        normal = torch.distributions.Normal(mean, F.softplus(scale) + 1e-2)
        self.last = weight.log_softmax(1), normal
        return mean

    def nll(self, batch: list[Tensor]) -> Tensor:
        self(batch[0])
        weight, normal = self.last
        return -(weight + normal.log_prob(batch[1][:, None])).logsumexp(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll_loss", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def mixture() -> Program:
    generator = torch.Generator().manual_seed(42)
    x = 2 * torch.rand(1500, 1, generator=generator) - 1
    side = 2.0 * torch.randint(2, (1500,), generator=generator) - 1
    y = side * (1 + x[:, 0] ** 2) + 0.2 * torch.randn(1500, generator=generator)
    data = split(x, y)
    module = Mixture()

    @torch.no_grad()
    def score() -> float:
        return module.eval().nll([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 32), 15, score)


class Oscillator(LightningModule):
    """Solves y'' + 2y' + 16y = 0 with y(0) = 1, y'(0) = 0 from the equation alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([1, 32, 32, 1], nn.Tanh)

    def forward(self, t: Tensor) -> Tensor:
        found: Tensor = self.net(t)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        t = batch[0].requires_grad_()
        y = self(t)
        (first,) = torch.autograd.grad(y.sum(), t, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), t, create_graph=True)
        physics = (second + 2 * first + 16 * y).square().mean()
        start = torch.zeros(1, 1, requires_grad=True)
        begin = self(start)
        (slope,) = torch.autograd.grad(begin.sum(), start, create_graph=True)
        loss = 0.01 * physics + (begin - 1).square().sum() + 0.1 * slope.square().sum()
        self.log("residual", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def oscillator() -> Program:
    generator = torch.Generator().manual_seed(43)
    times = 1.5 * torch.rand(1600, 1, generator=generator)
    module = Oscillator()
    train = DataLoader(TensorDataset(times), 32, shuffle=True)

    def score() -> float:
        t = torch.linspace(0, 1.5, 100)[:, None]
        w = 15**0.5
        true = torch.exp(-t) * (torch.cos(w * t) + torch.sin(w * t) / w)
        with torch.no_grad():
            return F.l1_loss(module(t), true).item()

    return Program(module, train, None, 20, score)


class WideAndDeep(LightningModule):
    """Clicks by the numbers of who, what and where; most of it is chance."""

    def __init__(self, counts: tuple[int, ...] = (40, 60, 12), width: int = 6) -> None:
        super().__init__()
        self.deep = nn.ModuleList([nn.Embedding(n, width) for n in counts])
        self.wide = nn.ModuleList([nn.Embedding(n, 1) for n in counts])
        self.net = mlp([3 * width, 32, 1])
        for table in self.wide:
            nn.init.zeros_(table.weight)

    def forward(self, ids: Tensor) -> Tensor:
        deep = torch.cat([table(ids[:, k]) for k, table in enumerate(self.deep)], 1)
        wide = torch.stack([table(ids[:, k]) for k, table in enumerate(self.wide)]).sum(0)
        found: Tensor = self.net(deep) + wide
        return found[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        ids, click = batch
        loss = F.binary_cross_entropy_with_logits(self(ids), click)
        self.log("logloss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.03)


def clicks() -> Program:
    generator = torch.Generator().manual_seed(44)
    ids = torch.stack([torch.randint(n, (6000,), generator=generator) for n in (40, 60, 12)], 1)
    effects = [torch.randn(n, generator=generator) for n in (40, 60, 12)]
    logit = sum(0.7 * effect[ids[:, k]] for k, effect in enumerate(effects)) - 1.5
    y = torch.bernoulli(torch.as_tensor(logit).sigmoid(), generator=generator)
    data = Samples(ids[:4500], y[:4500], ids[4500:], y[4500:])
    module = WideAndDeep()

    def score() -> float:
        with torch.no_grad():
            return float(roc_auc_score(data.y_test, module.eval()(data.x_test)))

    return Program(module, *loaders(data, 64), 5, score)


PRICES = Goal("R2", at_least=0.75)
FRAUD = Goal("balanced accuracy", at_least=0.7)
CASES = (
    Case("houses-appraised-in-thousands", PRICES, appraised),
    Case("houses-batches-of-four", PRICES, batches_of_four),
    Case("houses-mostly-noise", Goal("R2", at_least=0.2), mostly_noise),
    Case("houses-slipped-digits-huber", PRICES, outliers),
    Case("payments-fraud-focal", FRAUD, fraud_focal),
    Case("two-answers-mixture-density", Goal("negative log-likelihood", at_most=0.9), mixture),
    Case("oscillator-by-its-equation", Goal("mean error", at_most=0.05), oscillator),
    Case("clicks-wide-and-deep", Goal("area under ROC", at_least=0.68), clicks),
)
