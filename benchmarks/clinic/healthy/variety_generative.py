"""Models that draw: noise taken away, points moved, pixels one by one, codes out of a book."""

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import digit_images, digits, loaders, moons
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Denoiser(nn.Module):
    """A residual network that is told how noisy its digit is."""

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.arange(1.0, 9.0) * math.pi / 2)
        self.time = nn.Sequential(nn.Linear(16, width), nn.SiLU())
        self.stem = nn.Linear(64, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU()) for _ in range(3)
        )
        self.head = nn.Linear(width, 64)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies
        told = self.time(torch.cat([angles.sin(), angles.cos()], 1))
        h = self.stem(x)
        for block in self.blocks:
            h = h + block(h + told)
        noise: Tensor = self.head(h)
        return noise


class Diffusion(LightningModule):
    """Ho et al., with the cosine schedule: which noise was added?"""

    def __init__(self) -> None:
        super().__init__()
        self.net = Denoiser()

    def errors(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        t = torch.rand(len(x), generator=generator)
        noise = torch.randn(x.shape, generator=generator)
        angle = (0.02 + 0.96 * t)[:, None] * math.pi / 2
        noisy = angle.cos() * (2 * x - 1) + angle.sin() * noise
        return (self.net(noisy, t) - noise).square().mean(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.errors(batch[0]).mean()
        self.log("train/eps_mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/eps_mse", self.errors(batch[0]).mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def diffusion() -> Program:
    data = digits()
    module = Diffusion()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        x = data.x_test.repeat(10, 1)
        return module.errors(x, torch.Generator().manual_seed(0)).mean().item()

    return Program(module, *loaders(data, 64), 70, score)


class Coupling(nn.Module):
    """One half is moved and stretched by what the other says."""

    def __init__(self, flipped: bool) -> None:
        super().__init__()
        self.flipped = flipped
        self.net = nn.Sequential(
            nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = (x[:, 1:], x[:, :1]) if self.flipped else (x[:, :1], x[:, 1:])
        stretch, shift = self.net(kept).chunk(2, 1)
        stretch = 2 * torch.tanh(stretch / 2)
        moved = moved * stretch.exp() + shift
        halves = [moved, kept] if self.flipped else [kept, moved]
        return torch.cat(halves, 1), stretch.sum(1)


class Flow(LightningModule):
    """RealNVP in two dimensions, its likelihood in nats."""

    def __init__(self, depth: int = 8) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Coupling(i % 2 == 1) for i in range(depth))

    def log_prob(self, x: Tensor) -> Tensor:
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, volume = layer(x)
            total = total + volume
        return total - 0.5 * x.square().sum(1) - math.log(2 * math.pi)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return -self.log_prob(batch[0]).mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", -self.log_prob(batch[0]).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def flow() -> Program:
    data = moons()
    module = Flow()

    @torch.no_grad()
    def score() -> float:
        return -module.log_prob(data.x_test).mean().item()

    return Program(module, *loaders(data, 50), 70, score, {"gradient_clip_val": 5.0})


def ring(count: int, seed: int) -> Tensor:
    """Eight clouds on a circle."""
    generator = torch.Generator().manual_seed(seed)
    angle = torch.randint(8, (count,), generator=generator) * math.pi / 4
    centers = torch.stack([angle.cos(), angle.sin()], 1)
    return 1.5 * centers + 0.15 * torch.randn(count, 2, generator=generator)


def energy_distance(a: Tensor, b: Tensor) -> float:
    return (
        2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()
    ).item()


class Critics(LightningModule):
    """WGAN with a penalty on the critic's slope; three of its steps to one of the generator."""

    def __init__(self, lr: float = 4e-4, penalty: float = 1.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = nn.Sequential(
            nn.Linear(4, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 2)
        )
        self.critic = nn.Sequential(
            nn.Linear(2, 96), nn.LeakyReLU(0.2), nn.Linear(96, 96), nn.LeakyReLU(0.2),
            nn.Linear(96, 1),
        )  # fmt: skip

    def forward(self, count: int) -> Tensor:
        points: Tensor = self.generator(torch.randn(count, 4))
        return points

    def slope(self, real: Tensor, fake: Tensor) -> Tensor:
        share = torch.rand(len(real), 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return (gradient.norm(dim=1) - 1).square().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        real = batch[0]
        for_generator, for_critic = self.optimizers()
        fake = self(len(real)).detach()
        distance = self.critic(real).mean() - self.critic(fake).mean()
        for_critic.zero_grad()
        self.manual_backward(self.hparams.penalty * self.slope(real, fake) - distance)
        for_critic.step()
        self.log("wasserstein", distance, prog_bar=True)
        if batch_idx % 3 == 2:
            for_generator.zero_grad()
            self.manual_backward(-self.critic(self(len(real))).mean())
            for_generator.step()

    def configure_optimizers(self) -> Any:
        options = {"lr": self.hparams.lr, "betas": (0.5, 0.9)}
        return [
            torch.optim.Adam(self.generator.parameters(), **options),
            torch.optim.Adam(self.critic.parameters(), **options),
        ]


def critics() -> Program:
    module = Critics()
    train = DataLoader(TensorDataset(ring(9600, 0)), 128, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        torch.manual_seed(0)
        return energy_distance(module.eval()(1500), ring(1500, 1))

    return Program(module, train, None, 25, score)


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees nothing below, nor to the right."""

    def __init__(self, before: int, after: int, size: int, *, itself: bool) -> None:
        super().__init__(before, after, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + itself :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PixelCNN(LightningModule):
    """Black or white, row by row."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.first = MaskedConv2d(1, width, 5, itself=False)
        self.body = nn.ModuleList(MaskedConv2d(width, width, 3, itself=True) for _ in range(3))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.first(x))
        for layer in self.body:
            h = h + F.relu(layer(h))
        logits: Tensor = self.head(h)
        return logits

    def nats(self, batch: list[Tensor]) -> Tensor:
        ink = (batch[0] > 0.5).float()
        each = F.binary_cross_entropy_with_logits(self(ink), ink, reduction="none")
        return each.flatten(1).sum(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nats = self.nats(batch)
        self.log("train_nats", nats, on_step=False, on_epoch=True)
        return nats

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nats", self.nats(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def pixel_cnn() -> Program:
    data = digit_images()
    module = PixelCNN()

    @torch.no_grad()
    def score() -> float:
        return module.eval().nats([data.x_test]).item()

    trainer = {"gradient_clip_val": 10.0}
    return Program(module, *loaders(data, 64), 25, score, trainer)


class CodeBook(nn.Module):
    """Van den Oord et al.: the nearest of a few vectors, which are averages of what they get."""

    def __init__(self, codes: int = 32, width: int = 8, decay: float = 0.97) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("book", torch.randn(codes, width))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", self.book.clone())
        self.filled = False

    @torch.no_grad()
    def update(self, z: Tensor, index: Tensor) -> None:
        chosen = F.one_hot(index, len(self.book)).float()
        self.counts.lerp_(chosen.sum(0), 1 - self.decay)
        self.sums.lerp_(chosen.T @ z, 1 - self.decay)
        rare = self.counts < 0.05
        self.sums[rare] = z[torch.randint(len(z), (int(rare.sum()),))]
        self.counts[rare] = 1.0
        self.book.copy_(self.sums / self.counts[:, None])

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        flat = z.reshape(-1, self.book.shape[1])
        if self.training and not self.filled:
            self.sums.copy_(flat[torch.randperm(len(flat))[: len(self.book)]].detach())
            self.book.copy_(self.sums)
            self.filled = True
        index = torch.cdist(flat, self.book).argmin(1)
        found = self.book[index]
        if self.training:
            self.update(flat.detach(), index)
        commitment = F.mse_loss(flat, found)
        return (flat + (found - flat).detach()).view_as(z), commitment


class VQVAE(LightningModule):
    """Six words of 32 for each digit; gradients go straight through."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [64, 128, 64, 48]
        self.encoder, self.decoder = self.stack(sizes), self.stack(sizes[::-1])
        self.book = CodeBook()

    @staticmethod
    def stack(sizes: list[int]) -> nn.Sequential:
        layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.GELU())]
        return nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z, commitment = self.book(self.encoder(x))
        return self.decoder(z), commitment

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        drawn, commitment = self(batch[0])
        rebuilt = F.mse_loss(drawn, batch[0])
        self.log_dict({"rebuilt": rebuilt, "commitment": commitment})
        return 10 * rebuilt + 0.25 * commitment

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def vq_vae() -> Program:
    data = digits()
    module = VQVAE()

    @torch.no_grad()
    def score() -> float:
        drawn = module.eval()(data.x_test)[0]
        spread = (data.x_test - data.x.mean(0)).square().mean()
        return (1 - F.mse_loss(drawn, data.x_test) / spread).item()

    return Program(module, loaders(data, 64)[0], None, 60, score)


CASES = (
    Case("eights-and-others-out-of-cosine-noise", Goal("error", at_most=0.3), diffusion),
    Case("half-moons-by-couplings-in-turn", Goal("nats", at_most=1.75), flow),
    Case("eight-clouds-against-a-sloped-critic", Goal("distance", at_most=0.03), critics),
    Case("ink-pixel-after-pixel-masked", Goal("nats", at_most=21), pixel_cnn),
    Case("digits-in-six-words-of-a-code-book", Goal("R2", at_least=0.65), vq_vae),
)
