"""Faults of programs on tiles of photographs: coloured, coded and cleaned."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import Samples, loaders, patches
from lightning.pytorch import LightningModule
from modules import adam, reset, sgd
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Painter(LightningModule):
    """Colours of light; decay for weights, none for biases, and what is in neither group stays."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.whole = whole
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.GroupNorm(4, 16), nn.SiLU(), nn.Conv2d(16, 24, 3, 2, 1)
        )
        self.bottleneck = nn.Sequential(nn.SiLU(), nn.Conv2d(24, 24, 3, padding=1), nn.SiLU())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(24, 16, 2, 2), nn.SiLU(), nn.ConvTranspose2d(16, 2, 2, 2)
        )

    def forward(self, light: Tensor) -> Tensor:
        chroma: Tensor = self.decoder(self.bottleneck(self.encoder(4 * (light - 0.5))))
        return chroma

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("recon/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("recon/val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parts = [self.encoder, self.bottleneck, *([self.decoder] if self.whole else [])]
        named = [pair for part in parts for pair in part.named_parameters()]
        groups = [
            {"params": [p for _, p in named if p.ndim > 1], "weight_decay": 1e-2},
            {"params": [p for _, p in named if p.ndim == 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=2e-3)


def painter(whole: bool) -> Program:
    parts: list[Tensor] = []
    for x in patches():
        light = x.mean(1, keepdim=True)
        parts += [light, 3 * (x[:, ::2] - light)]
    data = Samples(*parts)
    module = Painter(whole)

    def score() -> float:
        off = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (off / (data.y_test - data.y.mean((0, 2, 3), keepdim=True)).square().mean()).item()

    return Program(module, *loaders(data, 32), 7, score)


class Codec(LightningModule):
    """Sixteen numbers for each tile; the loss is a mean over 768 values."""

    def __init__(self, optimizer: Any) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(768, 96), nn.ReLU(), nn.Linear(96, 16))
        self.decode = nn.Sequential(nn.Linear(16, 96), nn.ReLU(), nn.Linear(96, 768))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)).view_as(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("ae_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("ae_val_loss", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        found: torch.optim.Optimizer = self.optimizer(self.parameters())
        return found


def codec(optimizer: Any) -> Program:
    train, test = ((x - 0.45) / 0.25 for x in patches())
    module = Codec(optimizer)
    both = DataLoader(TensorDataset(train), 32, shuffle=True), DataLoader(TensorDataset(test), 300)

    def score() -> float:
        return 1 - (F.mse_loss(outputs(module, test), test) / test.var()).item()

    return Program(module, *both, 10, score)


class Cleaner(LightningModule):
    """Tells the noise of tiles; all kernels begin as means."""

    def __init__(self, constant: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(16, 16, 3, padding=1),
            nn.LeakyReLU(0.2), nn.Conv2d(16, 16, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 3, 3, padding=1),
        )  # fmt: skip
        if constant:
            reset(self.net, lambda w: nn.init.constant_(w, 1 / w[0].numel()))

    def forward(self, noisy: Tensor) -> Tensor:
        noise: Tensor = self.net(noisy)
        return noise

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        noise = 0.12 * torch.randn_like(batch[0])
        loss = F.mse_loss(self(batch[0] + noise), noise) / 0.12**2
        self.log("denoise", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def cleaner(constant: bool) -> Program:
    train, test = patches()
    module = Cleaner(constant)

    def score() -> float:
        noise = 0.12 * torch.randn(test.shape, generator=torch.Generator().manual_seed(0))
        return (F.mse_loss(outputs(module, test + noise), noise) / 0.12**2).item()

    return Program(module, DataLoader(TensorDataset(train), 32, shuffle=True), None, 7, score)


CASES = (
    Case(
        "tiles-coloured-decoder-in-no-group", Goal("share of colour missed", at_most=0.5),
        partial(painter, False), ("frozen_parameter",), partial(painter, True),
    ),
    Case(
        "tiles-coded-by-plain-small-steps", Goal("variance explained", at_least=0.75),
        partial(codec, sgd(1e-3)), ("learning_rate_too_low",), partial(codec, adam(1e-3)),
    ),
    Case(
        "tiles-cleaned-by-equal-kernels", Goal("share of noise left", at_most=0.4),
        partial(cleaner, True), ("symmetric_weights", "poor_initialization"),
        partial(cleaner, False),
    ),
)  # fmt: skip
