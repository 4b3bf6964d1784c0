"""Programs that generate or compress: their losses are noisy, negative or never fall for long."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def explained(module: LightningModule, data: Samples) -> float:
    """Share of the pixels' variance that is reconstructed."""
    error = F.mse_loss(outputs(module, data.x_test), data.x_test)
    return (1 - error / (data.x_test - data.x.mean(0)).square().mean()).item()


class AutoEncoder(LightningModule):
    """Reconstructs what it sees, or what it would have seen without the noise."""

    def __init__(self, noise: float, binary: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
        self.decoder = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64))
        self.noise, self.binary = noise, binary

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = self.decoder(self.encoder(x))
        return image.sigmoid() if self.binary else image

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        found = self(x + self.noise * torch.randn_like(x))
        loss = F.binary_cross_entropy(found, x) if self.binary else F.mse_loss(found, x)
        self.log("rec_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def auto_encoder(noise: float = 0.0, binary: bool = False) -> Program:
    data = samples.digits()
    module = AutoEncoder(noise, binary)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(explained, module, data))


class Variational(LightningModule):
    """The evidence bound, its two terms logged apart."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = mlp([64, 64, 24], nn.ELU)
        self.decode = mlp([12, 64, 64], nn.ELU)

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encode(x).chunk(2, 1)
        return self.decode(mean).sigmoid()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, _ = batch
        mean, log_variance = self.encode(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        reconstruction = 10 * F.mse_loss(self.decode(code).sigmoid(), x, reduction="none").sum(1)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        self.log_dict({"reconstruction": reconstruction.mean(), "kl": divergence.mean()})
        return {"loss": (reconstruction + divergence).mean()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def variational() -> Program:
    data = samples.digits()
    module = Variational()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(explained, module, data))


def ring(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    points = torch.stack([angle.cos(), angle.sin()], 1)
    return points + 0.05 * torch.randn(count, 2, generator=generator)


class Adversarial(LightningModule):
    """Two networks against each other, two optimisers by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = mlp([8, 48, 48, 2], nn.ReLU)
        self.discriminator = mlp([2, 48, 48, 1], partial(nn.LeakyReLU, 0.2))

    def forward(self, z: Tensor) -> Tensor:
        points: Tensor = self.generator(z)
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        g_opt, d_opt = self.optimizers()  # type: ignore[misc, union-attr]
        fake = self(torch.randn(len(real), 8))
        d_loss = F.softplus(-self.discriminator(real)).mean()
        d_loss = d_loss + F.softplus(self.discriminator(fake.detach())).mean()
        d_opt.zero_grad()
        self.manual_backward(d_loss)
        d_opt.step()
        g_loss = F.softplus(-self.discriminator(fake)).mean()
        self.toggle_optimizer(g_opt)
        g_opt.zero_grad()
        self.manual_backward(g_loss)
        g_opt.step()
        self.untoggle_optimizer(g_opt)
        self.log_dict({"d_loss": d_loss, "g_loss": g_loss})

    def configure_optimizers(self) -> Any:
        return (
            torch.optim.Adam(self.generator.parameters(), lr=5e-4, betas=(0.0, 0.9)),
            torch.optim.Adam(self.discriminator.parameters(), lr=2e-3, betas=(0.0, 0.9)),
        )


def adversarial() -> Program:
    generator = torch.Generator().manual_seed(0)
    cloud = 0.5 * torch.randn(2048, 2, generator=generator) + torch.tensor([1.5, -1.0])
    module = Adversarial()
    train = DataLoader(TensorDataset(cloud), batch_size=64, shuffle=True)

    def score() -> float:
        """How far the middle of what is generated is from that of the cloud."""
        z = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        return (outputs(module, z).mean(0) - cloud.mean(0)).norm().item()

    return Program(module, train, None, 14, score)


class Flow(LightningModule):
    """Affine couplings; the negative log-likelihood goes below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(mlp([1, 32, 2], nn.Tanh) for _ in range(6))

    def forward(self, x: Tensor) -> Tensor:
        """Log-likelihood of each point."""
        total = x.new_zeros(len(x))
        for part in self.parts:
            a, b = x.unbind(1)
            log_scale, shift = part(a[:, None]).unbind(1)
            log_scale = 2 * torch.tanh(log_scale)
            x = torch.stack([b * log_scale.exp() + shift, a], 1)
            total = total + log_scale
        return total - 0.5 * (x**2).sum(1) - math.log(2 * math.pi)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = -self(batch[0]).mean()
        self.log("nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def flow() -> Program:
    """Points on a narrow line, so that their density is high."""

    def points(count: int) -> Tensor:
        generator = torch.Generator().manual_seed(count)
        x = 0.5 * torch.randn(count, generator=generator)
        noise = 0.05 * torch.randn(count, generator=generator)
        return torch.stack([x, x**2 + noise], 1)

    module, unseen = Flow(), points(400)
    train = DataLoader(TensorDataset(points(1600)), batch_size=64, shuffle=True)
    return Program(module, train, None, 12, lambda: -outputs(module, unseen).mean().item())


class Diffusion(LightningModule):
    """Predicts the noise that was added, of any strength: a loss that stays noisy."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([3, 64, 64, 64, 2], nn.SiLU)

    def forward(self, noisy: Tensor, level: Tensor) -> Tensor:
        found: Tensor = self.net(torch.cat([noisy, level], 1))
        return found

    def loss(self, x: Tensor) -> Tensor:
        level, noise = torch.rand(len(x), 1), torch.randn_like(x)
        noisy = torch.cos(level * 1.57) * x + torch.sin(level * 1.57) * noise
        return F.mse_loss(self(noisy, level), noise)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("eps_mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def diffusion() -> Program:
    module, unseen = Diffusion(), ring(2000)
    train = DataLoader(TensorDataset(ring(1600)), batch_size=64, shuffle=True)

    def score() -> float:
        with torch.no_grad():
            return module.loss(unseen).item()

    return Program(module, train, None, 14, score)


PIXELS = Goal("R2", at_least=0.6)
CASES = (
    Case("digits-auto-encoder", PIXELS, auto_encoder),
    Case("digits-denoised", PIXELS, partial(auto_encoder, 0.2)),
    Case("digits-binary-auto-encoder", PIXELS, partial(auto_encoder, 0.0, True)),
    Case("digits-variational", Goal("R2", at_least=0.4), variational),
    Case("cloud-adversarial", Goal("distance", at_most=0.5), adversarial),
    Case("parabola-flow", Goal("negative log-likelihood", at_most=-0.4), flow),
    Case("ring-diffusion", Goal("error", at_most=0.45), diffusion),
)  # fmt: skip
