"""Programs whose losses are likelihoods: survival, counts, doubts, and plain chance."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Survival(LightningModule):
    """Cox's partial likelihood over the batch: who of those still there goes next."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = nn.Sequential(
            nn.Linear(8, 32), nn.BatchNorm1d(32), nn.Mish(), nn.Dropout(0.2), nn.Linear(32, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.risk(x)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, time, seen = batch
        order = time.argsort(descending=True)
        risk, seen = self(x)[order], seen[order]
        loss = -((risk - risk.logcumsumexp(0)) * seen).sum() / seen.sum()
        self.log("partial_nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def survival() -> Program:
    generator = torch.Generator().manual_seed(70)
    x = torch.randn(1500, 8, generator=generator)
    risk = 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.8 * x[:, 2].abs()
    time = -torch.log(torch.rand(1500, generator=generator)) / risk.exp()
    end = 3 * torch.rand(1500, generator=generator)
    seen, time = (time <= end).float(), torch.minimum(time, end)
    data = TensorDataset(x[:1000], time[:1000], seen[:1000])
    module = Survival()

    def score() -> float:
        """Pairs that are in the right order, of those whose order is known."""
        found, when, known = outputs(module, x[1000:]), time[1000:], seen[1000:] > 0
        pairs = (when[:, None] < when) & known[:, None]
        return (found[:, None] > found)[pairs].float().mean().item()

    return Program(module, DataLoader(data, 100, shuffle=True), None, 20, score)


class Claims(LightningModule):
    """Negative binomial counts with an exposure, one dispersion for all."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = mlp([8, 32, 1], nn.ELU)
        self.log_shape = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.rate(x)[:, 0]

    def nll(self, x: Tensor, exposure: Tensor, count: Tensor) -> Tensor:
        mean, shape = exposure * self(x).exp(), self.log_shape.exp()
        family = torch.distributions.NegativeBinomial(shape, logits=(mean / shape).log())
        return -family.log_prob(count).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(*batch)
        self.log_dict({"nll": loss, "shape": self.log_shape.detach().exp()})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("nll_holdout", self.nll(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def claims() -> Program:
    generator = torch.Generator().manual_seed(71)
    x = torch.randn(2400, 8, generator=generator)
    rate = torch.exp(0.5 * x[:, 0] + 0.4 * x[:, 1] * (x[:, 2] > 0) - 0.3)
    exposure = 0.2 + 1.8 * torch.rand(2400, generator=generator)
    luck = -torch.rand(2, 2400, generator=generator).log().mean(0)
    count = torch.poisson(rate * exposure * luck, generator=generator)
    train = TensorDataset(x[:1800], exposure[:1800], count[:1800])
    unseen = TensorDataset(x[1800:], exposure[1800:], count[1800:])
    module = Claims()

    def score() -> float:
        """How well the rates follow the true ones, which are not seen."""
        found = torch.stack([outputs(module, x[1800:]), rate[1800:].log()])
        return found.corrcoef()[0, 1].item()

    return Program(module, DataLoader(train, 64, shuffle=True), DataLoader(unseen, 600), 12, score)


class UncertainWeight(LightningModule):
    """Two tasks whose weights are learned with them; the loss falls below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = mlp([10, 64, 64], nn.SiLU)
        self.value, self.grade = nn.Linear(64, 1), nn.Linear(64, 3)
        self.log_variance = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.silu(self.trunk(x))
        return self.value(hidden)[:, 0], self.grade(hidden)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Any]:
        x, value, grade = batch
        guess, logits = self(x)
        losses = torch.stack([F.mse_loss(guess, value) / 2, F.cross_entropy(logits, grade)])
        loss = (losses * torch.exp(-self.log_variance) + self.log_variance / 2).sum()
        self.log_dict({"mse": 2 * losses[0], "ce": losses[1], "total": loss})
        return {"loss": loss, "parts": losses.detach()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def uncertain_weights() -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    grade = torch.bucketize(data.y, torch.tensor([-0.5, 0.5]))
    module = UncertainWeight()
    train = DataLoader(TensorDataset(data.x, data.y, grade), 32, shuffle=True)

    def score() -> float:
        with torch.no_grad():
            guess, _ = module.eval()(data.x_test)
        return (1 - F.mse_loss(guess, data.y_test) / data.y_test.var()).item()

    return Program(module, train, None, 15, score)


class DoubtfulLinear(nn.Module):
    """A normal distribution for each weight, by its mean and the inverse softplus of its width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(after, before) / before**0.5)
        self.rho = nn.Parameter(torch.full((after, before), -2.5))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor) -> Tensor:
        middle = F.linear(x, self.mean, self.bias)
        if not self.training:
            return middle
        variance = F.linear(x.square(), F.softplus(self.rho).square())
        return middle + (variance + 1e-8).sqrt() * torch.randn_like(middle)

    def divergence(self, prior: float = 0.3) -> Tensor:
        width = F.softplus(self.rho)
        parts = (width.square() + self.mean.square()) / (2 * prior**2) - 0.5
        return (parts + math.log(prior) - width.log()).sum()


class Bayesian(LightningModule):
    """The evidence bound per sample, the prior tempered to a tenth."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.net = nn.Sequential(DoubtfulLinear(64, 48), nn.ReLU(), DoubtfulLinear(48, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        fit = F.cross_entropy(self(batch[0]), batch[1])
        doubt = self.net[0].divergence() + self.net[2].divergence()
        self.log_dict({"fit": fit, "kl": doubt / self.count})
        return fit + 0.1 * doubt / self.count

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def bayesian() -> Program:
    data = samples.digits()
    module = Bayesian(len(data.y))
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(accuracy, module, data))


class GaussianProcess(LightningModule):
    """No layer but hyper-parameters; the marginal likelihood of all points at once."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        super().__init__()
        self.register_buffer("x", x)
        self.register_buffer("y", y)
        starts = {
            "reach": torch.ones(x.shape[1]),
            "height": torch.zeros(()),
            "noise": -torch.ones(()),
        }
        self.log_of = nn.ParameterDict({name: nn.Parameter(v) for name, v in starts.items()})

    def kernel(self, a: Tensor, b: Tensor) -> Tensor:
        reach = self.log_of["reach"].exp()
        gap = (a[:, None] / reach - b / reach).square().sum(-1)
        return self.log_of["height"].exp() * torch.exp(-gap / 2)

    def factor(self) -> Tensor:
        noise = self.log_of["noise"].exp() * torch.eye(len(self.x))
        return torch.linalg.cholesky(self.kernel(self.x, self.x) + noise)

    def forward(self, x: Tensor) -> Tensor:
        known = torch.cholesky_solve(self.y[:, None], self.factor())
        return (self.kernel(x, self.x) @ known)[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        zero = torch.zeros_like(self.y)
        normal = torch.distributions.MultivariateNormal(zero, scale_tril=self.factor())
        loss = -normal.log_prob(self.y) / len(self.y)
        self.log_dict({f"log_{k}": v.detach().mean() for k, v in self.log_of.items()}, batch_size=1)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.05)


def gaussian_process() -> Program:
    data = scaled_targets(standardized(samples.friedman())).first(250)
    module = GaussianProcess(data.x, data.y)
    train = DataLoader(range(1), batch_size=None)  # type: ignore[arg-type]
    return Program(module, train, None, 120, partial(r2, module, data))


class Customers(LightningModule):
    """A logistic regression of what is mostly chance: nobody is right more than three in four."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("churn_acc", ((logits > 0) == (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)


def customers() -> Program:
    generator = torch.Generator().manual_seed(74)
    x = torch.randn(4000, 12, generator=generator)
    logit = 1.6 * x @ F.normalize(torch.randn(12, generator=generator), dim=0)
    y = torch.bernoulli(logit.sigmoid(), generator=generator).long()
    data: Samples = split(x, y)
    module = Customers()
    return Program(module, *loaders(data, 64), 6, partial(binary_accuracy, module, data))


CASES = (
    Case("patients-survival", Goal("concordance", at_least=0.7), survival),
    Case("claims-negative-binomial", Goal("correlation", at_least=0.8), claims),
    Case("friedman-uncertain-weights", Goal("R2", at_least=0.85), uncertain_weights),
    Case("digits-doubtful-weights", Goal("accuracy", at_least=0.92), bayesian),
    Case("friedman-gaussian-process", Goal("R2", at_least=0.85), gaussian_process),
    Case("customers-mostly-chance", Goal("accuracy", at_least=0.7), customers),
)
