"""Programs on durations, customers and tastes, of which much is chance."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import Samples, loaders, split
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp
from programs import regression
from scores import accuracy, outputs
from torch import Tensor, nn


class Failures(LightningModule):
    """Weibull's scale and shape of the time until a failure; some are not over yet."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([5, 32, 32, 2], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found

    def step(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        time, over = y.unbind(1)
        scale, shape = self(x).unbind(1)
        k = F.softplus(shape + 0.5)
        z = k * (time.log() - scale)
        return (z.exp() - over * (k.log() + z - time.log())).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.step(batch)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.step(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def failures(count: int = 2400) -> Program:
    generator = torch.Generator().manual_seed(83)
    x = torch.randn(count, 5, generator=generator)
    log_scale = 0.8 * x[:, 0] - 0.6 * x[:, 1] * (x[:, 2] > 0) + 0.5
    uniform = torch.rand(2, count, generator=generator).clamp(1e-4, 1 - 1e-4)
    time = log_scale.exp() * (-uniform[0].log()).pow(1 / 1.5)
    end = 6 * uniform[1] + 0.2
    y = torch.stack([torch.minimum(time, end), (time <= end).float()], 1)
    cut = count * 3 // 4
    data = Samples(x[:cut], y[:cut], x[cut:], log_scale[cut:])
    both = loaders(data._replace(x_test=x[cut:], y_test=y[cut:]), 64)
    module = Failures()

    def correlation() -> float:
        found = outputs(module, data.x_test)[:, 0]
        return torch.corrcoef(torch.stack([found, data.y_test]))[0, 1].item()

    return Program(module, *both, 15, correlation)


def coin_like(count: int = 3000) -> Program:
    """Whether a customer comes back, of which little can be known."""
    generator = torch.Generator().manual_seed(87)
    x = torch.randn(count, 10, generator=generator)
    chance = torch.sigmoid(0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.3 * x[:, 2] * x[:, 3])
    y = (torch.rand(count, generator=generator) < chance).long()
    module = LitClassifier(mlp([10, 16, 2], dropout=0.2), adam(2e-3, weight_decay=1e-4))
    data = split(x, y)
    return Program(module, *loaders(data, 128), 15, partial(accuracy, module, data))


class Tastes(nn.Module):
    """A mean, what a user and a dish add to it, and a product of four factors each."""

    def __init__(self, users: int, dishes: int) -> None:
        super().__init__()
        self.user, self.dish = nn.Embedding(users, 4), nn.Embedding(dishes, 4)
        self.generous, self.good = nn.Embedding(users, 1), nn.Embedding(dishes, 1)
        for table in (self.user, self.dish, self.generous, self.good):
            nn.init.normal_(table.weight, std=0.1)
        self.mean = nn.Parameter(torch.tensor(3.0))

    def forward(self, pairs: Tensor) -> Tensor:
        user, dish = pairs.long().unbind(1)
        product = (self.user(user) * self.dish(dish)).sum(1, keepdim=True)
        return self.mean + self.generous(user) + self.good(dish) + product


def dishes(count: int = 9000) -> Program:
    generator = torch.Generator().manual_seed(88)
    user, dish = (torch.randint(k, (count,), generator=generator) for k in (120, 80))
    a, b = (torch.randn(k, 3, generator=generator) for k in (120, 80))
    stars = 3.2 + a[user, 0] * 0.5 + b[dish, 0] * 0.5 + 0.6 * (a[user, 1:] * b[dish, 1:]).sum(1)
    stars = stars + 0.4 * torch.randn(count, generator=generator)
    data = split(torch.stack([user, dish], 1), stars)
    return regression(
        data, Tastes(120, 80), adam(0.01, weight_decay=1e-4), batch_size=128, epochs=15
    )


CASES = (
    Case("failures-weibull-unfinished", Goal("correlation", at_least=0.9), failures),
    Case("customers-coming-back-by-chance", Goal("accuracy", at_least=0.59), coin_like),
    Case("dishes-of-four-factors", Goal("R2", at_least=0.65), dishes),
)
