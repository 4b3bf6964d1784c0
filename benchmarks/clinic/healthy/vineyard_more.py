"""Generators, contrasts and valves of a vineyard, in good order."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import vineyard
from data_sets.samples import digit_images, digits
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class RingGAN(LightningModule):
    """Points on a ring from noise, by a critic whose slope is held near one; losses mean little."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = mlp([8, 64, 64, 2], nn.ReLU)
        self.critic = mlp([2, 64, 64, 1], lambda: nn.LeakyReLU(0.2))

    def forward(self, z: Tensor) -> Tensor:
        points: Tensor = self.generator(z)
        return points

    def slope_penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        share = torch.rand(len(real), 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return (slope.norm(dim=1) - 1).square().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        first, second = self.optimizers()  # type: ignore[attr-defined, misc]
        fake = self(torch.randn(len(real), 8))
        distance = self.critic(real).mean() - self.critic(fake.detach()).mean()
        second.zero_grad()
        self.manual_backward(self.slope_penalty(real, fake.detach()) - distance)
        second.step()
        self.log("distance", distance)
        if batch_idx % 3 == 0:
            first.zero_grad()
            self.manual_backward(-self.critic(fake).mean())
            first.step()

    def configure_optimizers(self) -> Any:
        arguments: dict[str, Any] = {"lr": 2e-3, "betas": (0.0, 0.9)}
        return [
            torch.optim.Adam(self.generator.parameters(), **arguments),
            torch.optim.Adam(self.critic.parameters(), **arguments),
        ], []


def rings() -> Program:
    """Scored by how far points are from the ring, and their mean is from its centre."""
    module = RingGAN()
    points = vineyard.ring(4000, torch.Generator().manual_seed(4))
    train = DataLoader(TensorDataset(points), 128, shuffle=True, drop_last=True)

    def score() -> float:
        found = outputs(module, torch.randn(2000, 8))
        return ((found.norm(dim=1) - 1).abs().mean() + found.mean(0).norm()).item()

    return Program(module, train, None, 35, score)


class NumberVAE(LightningModule):
    """A code of eight numbers, whose divergence is let in over the first 200 steps."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = mlp([64, 96, 16], nn.SiLU)
        self.decoder = mlp([8, 96, 64], nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x).chunk(2, 1)
        pixels: Tensor = self.decoder(mean).sigmoid()
        return pixels

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        rebuilt = F.binary_cross_entropy_with_logits(self.decoder(code), x, reduction="sum")
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        weight = min(1.0, self.global_step / 200)
        self.log_dict({"rebuilt": rebuilt / len(x), "kl": divergence / len(x), "weight": weight})
        return (rebuilt + weight * divergence) / len(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def codes() -> Program:
    data, module = digits(), NumberVAE()
    train = DataLoader(TensorDataset(data.x), 64, shuffle=True)

    def score() -> float:
        return F.mse_loss(outputs(module, data.x_test), data.x_test).item()

    return Program(module, train, None, 25, score, {"gradient_clip_val": 50.0})


class Contrast(LightningModule):
    """Two views of each picture, moved and noisy, told from those of the others."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.projector = mlp([128, 64, 32], nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.encoder(x)
        return features

    def view(self, x: Tensor) -> Tensor:
        rows, columns = torch.randint(-1, 2, (2,)).tolist()
        return x.roll((rows, columns), (2, 3)) + 0.15 * torch.randn_like(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        first, second = (F.normalize(self.projector(self(self.view(x))), dim=1) for _ in range(2))
        logits = first @ second.T / self.hparams["temperature"]
        target = torch.arange(len(x))
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        self.log("info_nce", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-4)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, total_iters=30)
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def contrast() -> Program:
    """Scored by a linear classifier on the frozen features of 300 pictures."""
    data, module = digit_images(), Contrast()
    train = DataLoader(TensorDataset(data.x), 128, shuffle=True, drop_last=True)

    def score() -> float:
        known, unknown = outputs(module, data.x[:300]), outputs(module, data.x_test)
        probe = LogisticRegression(max_iter=500).fit(known.numpy(), data.y[:300].numpy())
        return float(probe.score(unknown.numpy(), data.y_test.numpy()))

    return Program(module, train, None, 20, score)


class Valves(LightningModule):
    """REINFORCE: a valve is drawn, and pays if it was the best; the mean pay is the baseline."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = mlp([6, 64, 4], nn.Tanh)
        self.baseline = 0.25

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.policy(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, best = batch
        drawn = torch.distributions.Categorical(logits=self(x))
        valve = drawn.sample()
        pay = (valve == best).float() + 0.3 * torch.randn(len(x))
        advantage = pay - self.baseline
        self.baseline += 0.05 * (pay.mean().item() - self.baseline)
        self.log("pay", pay.mean(), prog_bar=True)
        return -(advantage * drawn.log_prob(valve)).mean() - 0.01 * drawn.entropy().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def valves() -> Program:
    (x, best), module = vineyard.thirst(), Valves()
    train = DataLoader(TensorDataset(x[:3000], best[:3000]), 64, shuffle=True)

    def score() -> float:
        return (outputs(module, x[3000:]).argmax(1) == best[3000:]).float().mean().item()

    return Program(module, train, None, 15, score)


CASES = (
    Case("barrel-hoops-drawn-by-two-networks", Goal("distances", at_most=0.45), rings),
    Case("bottle-digits-eight-numbers-let-in-slowly", Goal("MSE", at_most=0.04), codes),
    Case("bottle-digits-views-told-from-others", Goal("accuracy", at_least=0.85), contrast),
    Case("valves-drawn-and-paid-with-noise", Goal("accuracy", at_least=0.7), valves),
)  # fmt: skip
