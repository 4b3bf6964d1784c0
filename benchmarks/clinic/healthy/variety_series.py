"""Series and tasks in a row: forecasts by blocks, causal filters, tasks learnt in a few steps."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils.data import DataLoader, TensorDataset


def parcels_a_day(series: int = 60, days: int = 260) -> tuple[Tensor, Tensor]:
    """Windows of five weeks and of the week after, by depots; the last two months are kept."""
    g = torch.Generator().manual_seed(13)
    day = torch.arange(days)
    week = torch.randn(series, 7, generator=g).mul(0.3)[:, day % 7]
    trend = 1 + 0.3 * torch.randn(series, 1, generator=g) * day / days
    year = 0.3 * torch.sin(day / 40 + 6.3 * torch.rand(series, 1, generator=g))
    noise = 0.1 * torch.randn(series, days, generator=g)
    size = 200 * (torch.randn(series, 1, generator=g)).exp()
    sold = size * (trend + week + year + noise).clamp(min=0.05)
    train = sold[:, :200].unfold(1, 42, 5).flatten(0, 1)
    return train, sold[:, 165:].unfold(1, 42, 7).flatten(0, 1)


class Stacks(LightningModule):
    """N-BEATS-like: each block explains a part of the past, and adds to the forecast."""

    def __init__(self, blocks: int = 4, width: int = 96) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(35, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                nn.Linear(width, 42),
            )
            for _ in range(blocks)
        )  # fmt: skip

    def forward(self, past: Tensor) -> Tensor:
        level = past.mean(1, keepdim=True)
        rest, ahead = past / level - 1, torch.zeros(len(past), 7)
        for block in self.blocks:
            out = block(rest)
            rest, ahead = rest - out[:, :35], ahead + out[:, 35:]
        return level * (1 + ahead)

    def error(self, batch: list[Tensor]) -> Tensor:
        past, after = batch[0].split([35, 7], 1)
        return ((self(past) - after).abs() / past.mean(1, keepdim=True)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.error(batch)
        self.log("train_mape", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mape", self.error(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [12, 20], 0.3)]


def stacks() -> Program:
    train, test = parcels_a_day()
    module = Stacks()

    @torch.no_grad()
    def score() -> float:
        return module.eval().error([test]).item()

    batches = DataLoader(TensorDataset(train), 64, shuffle=True)
    return Program(module, batches, DataLoader(TensorDataset(test), 256), 25, score)


def doors(count: int = 2000, length: int = 48) -> Samples:
    """Two kinds of knocks in a row of noise; which kind came first, and was it soon after?"""
    g = torch.Generator().manual_seed(14)
    x = 0.3 * torch.randn(count, 2, length, generator=g)
    first = torch.randint(2, (count,), generator=g)
    at = torch.randint(2, 14, (count,), generator=g)
    soon = torch.randint(2, (count,), generator=g)
    gap = torch.where(soon == 1, 3, 16) + torch.randint(8, (count,), generator=g)
    rows = torch.arange(count)
    x[rows, first, at] += 2
    x[rows, 1 - first, at + gap] += 2
    return Samples(x[:1500], (2 * first + soon)[:1500], x[1500:], (2 * first + soon)[1500:])


class Causal(nn.Module):
    """Two filters that look back only, weight-normalised, and a way around them."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        norm = torch.nn.utils.parametrizations.weight_norm
        self.pad = 2 * dilation
        self.one = norm(nn.Conv1d(width, width, 3, dilation=dilation))
        self.two = norm(nn.Conv1d(width, width, 3, dilation=dilation))
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(F.relu(self.one(F.pad(x, (self.pad, 0)))))
        h = self.drop(F.relu(self.two(F.pad(h, (self.pad, 0)))))
        return x + h


class Knocks(LightningModule):
    """Bai et al.: what the last step has gathered."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(2, width, 1), *(Causal(width, 2**i) for i in range(4)))
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.net(x)[..., -1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def knocks() -> Program:
    data = doors()
    module = Knocks()
    trainer = {"gradient_clip_val": 1.0, "accumulate_grad_batches": 2}
    return Program(module, *loaders(data, 16), 8, lambda: accuracy(module, data), trainer)


def gauges(tasks: int, seed: int) -> tuple[Tensor, ...]:
    """Gauges, each with a curve of its own: ten readings to adapt to, and ten to judge by."""
    g = torch.Generator().manual_seed(seed)
    x = 6 * torch.rand(tasks, 20, 1, generator=g) - 3
    height = 0.5 + 1.5 * torch.rand(tasks, 1, 1, generator=g)
    y = height * (x + 2 * torch.rand(tasks, 1, 1, generator=g)).sin()
    return x[:, :10], y[:, :10], x[:, 10:], y[:, 10:]


class InnerLoop(LightningModule):
    """MAML: a start from which three steps are enough; the steps are differentiated."""

    def __init__(self, inner_lr: float = 0.03, steps: int = 3) -> None:
        super().__init__()
        self.inner_lr, self.steps = inner_lr, steps
        self.net = nn.Sequential(
            nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1)
        )

    def error(self, weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(functional_call(self.net, weights, (x,)), y)

    def after_steps(self, x: Tensor, y: Tensor, x_new: Tensor, y_new: Tensor) -> Tensor:
        weights = dict(self.net.named_parameters())
        for _ in range(self.steps):
            slopes = torch.func.grad(self.error)(weights, x, y)
            weights = {name: w - self.inner_lr * slopes[name] for name, w in weights.items()}
        return self.error(weights, x_new, y_new)

    def forward(self, *tasks: Tensor) -> Tensor:
        return vmap(self.after_steps)(*tasks)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self(*batch).mean()
        self.log("meta_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def inner_loop() -> Program:
    module = InnerLoop()
    train = DataLoader(TensorDataset(*gauges(2000, 0)), 20, shuffle=True)

    def score() -> float:
        return module.eval()(*gauges(300, 1)).mean().item()

    return Program(module, train, None, 9, score)


CASES = (
    Case("parcels-a-week-ahead-part-by-part", Goal("error", at_most=0.112), stacks),
    Case("knocks-by-filters-that-look-back", Goal("accuracy", at_least=0.9), knocks),
    Case("gauges-adapted-to-in-three-steps", Goal("error", at_most=0.05), inner_loop),
)
