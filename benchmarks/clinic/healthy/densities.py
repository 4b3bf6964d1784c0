"""Programs that learn densities without a decoder: pixel by pixel, by slopes and by energies."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class MaskedLinear(nn.Linear):
    """Some of its weights never count."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.mask * self.weight, self.bias)


class Autoregressive(LightningModule):
    """Each pixel from those before it, by masks; the loss is summed over 64 of them."""

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        pixel, unit = torch.arange(64), torch.arange(width) % 63
        self.inner = MaskedLinear(unit[:, None] >= pixel)
        self.middle = MaskedLinear(unit[:, None] >= unit)
        self.outer = MaskedLinear(pixel[:, None] > unit)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.inner(x))
        logits: Tensor = self.outer(hidden + F.relu(self.middle(hidden)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        x = torch.bernoulli(x)
        loss = F.binary_cross_entropy_with_logits(self(x), x, reduction="sum") / len(x)
        self.log("nats", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x = (batch[0] > 0.5).float()
        loss = F.binary_cross_entropy_with_logits(self(x), x, reduction="none").sum(1).mean()
        self.log("val_nats", loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def autoregressive() -> Program:
    data = samples.digits()
    module = Autoregressive()

    def score() -> float:
        """Bits of a pixel, of binary images."""
        x = (data.x_test > 0.5).float()
        return F.binary_cross_entropy_with_logits(outputs(module, x), x).item() / math.log(2)

    return Program(module, *loaders(data, 32), 12, score)


class ScoreMatching(LightningModule):
    """The slope of the log-density at nine strengths of noise, weighted by them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sigmas", torch.logspace(0.3, -1.3, 9))
        self.level = nn.Embedding(9, 32)
        self.inner, self.middle, self.outer = nn.Linear(2, 96), nn.Linear(96, 96), nn.Linear(96, 2)
        self.shift = nn.Linear(32, 96)

    def forward(self, noisy: Tensor, level: Tensor) -> Tensor:
        sigma = self.sigmas[level, None]
        hidden = F.silu(self.inner(noisy / (1 + sigma**2).sqrt()) + self.shift(self.level(level)))
        return self.outer(F.silu(self.middle(hidden))) / sigma

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        level = torch.randint(len(self.sigmas), (len(x),))
        sigma, noise = self.sigmas[level, None], torch.randn_like(x)
        score = self(x + sigma * noise, level)
        loss = 0.5 * (sigma * score + noise).square().sum(1).mean()
        self.log("dsm", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Langevin's steps from much noise to little."""
        self.eval()
        x = self.sigmas[0] * torch.randn(count, 2)
        for level, sigma in enumerate(self.sigmas):
            for _ in range(30):
                step = 0.1 * sigma**2
                which = torch.full((count,), level)
                x = x + step * self(x, which) + (2 * step) ** 0.5 * torch.randn_like(x)
        return x


def crescents() -> Program:
    x = samples.moons().x
    x = (x - x.mean(0)) / x.std(0)
    module = ScoreMatching()

    def score() -> float:
        """Median distance of what is drawn to the nearest point of the data."""
        torch.manual_seed(0)
        return torch.cdist(module.sample(400), x).amin(1).median().item()

    return Program(module, DataLoader(TensorDataset(x), 64, shuffle=True), None, 50, score)


class EnergyBased(LightningModule):
    """Tells data from noise of a known density, and so learns the density itself."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = mlp([2, 64, 64, 1], nn.SiLU)
        self.log_constant = nn.Parameter(torch.zeros(()))
        self.noise = torch.distributions.Uniform(-3.0, 3.0)

    def forward(self, x: Tensor) -> Tensor:
        """Log-density."""
        return self.log_constant - self.energy(x)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (real,) = batch
        drawn = self.noise.sample((4 * len(real), 2))
        base = math.log(4 / 36)
        loss = F.softplus(base - self(real)).mean() + 4 * F.softplus(self(drawn) - base).mean()
        self.log("nce", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 24)]


def islands() -> Program:
    generator = torch.Generator().manual_seed(73)
    middle = torch.tensor([[-1.2, -1.0], [1.2, -0.8], [0.0, 1.3]])
    x = middle[torch.randint(3, (2400,), generator=generator)]
    x = x + 0.35 * torch.randn(2400, 2, generator=generator)
    module = EnergyBased()
    train = DataLoader(TensorDataset(x[:2000]), 50, shuffle=True)
    axis = torch.linspace(-3, 3, 121)
    grid = torch.cartesian_prod(axis, axis)

    def score() -> float:
        """Of unseen points, the density's sum over a grid set to 1."""
        total = outputs(module, grid).logsumexp(0).item() + 2 * math.log(6 / 120)
        return total - outputs(module, x[2000:]).mean().item()

    return Program(module, train, None, 24, score)


CASES = (
    Case("digits-autoregressive", Goal("bits of a pixel", at_most=0.5), autoregressive),
    Case("crescents-score-matching", Goal("distance", at_most=0.15), crescents),
    Case("islands-noise-contrast", Goal("negative log-likelihood", at_most=2.0), islands),
)
