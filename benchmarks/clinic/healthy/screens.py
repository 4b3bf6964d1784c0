"""Losses that rise by plan, pictures scaled within, few bits and heat maps."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import wards
from data_sets.samples import Samples, loaders, patches
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Coded(LightningModule):
    """A variational coder of bars; the divergence counts more from epoch to epoch."""

    def __init__(self, beta: float = 0.5, warm: int = 8) -> None:
        super().__init__()
        self.beta, self.warm = beta, warm
        self.encode = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(16, 24, 3, 2, 1),
            nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(384, 12),
        )  # fmt: skip
        self.decode = nn.Sequential(
            nn.Linear(6, 128), nn.LeakyReLU(0.1), nn.Linear(128, 256), nn.LeakyReLU(0.1),
            nn.Linear(256, 196),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encode(x).chunk(2, 1)
        return self.decode(mean).view_as(x)

    def elbo(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encode(x).chunk(2, 1)
        code = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        error = 10 * (self.decode(code).view_as(x) - x).square().sum((1, 2, 3)).mean()
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return error, kl

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        error, kl = self.elbo(batch[0])
        weight = self.beta * min(1.0, self.current_epoch / self.warm)
        self.log_dict({"reconstruction": error, "kl": kl, "beta": weight})
        return error + weight * kl

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error, kl = self.elbo(batch[0])
        self.log("val_elbo", -error - self.beta * kl)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def coded() -> Program:
    data = wards.bars()
    module = Coded()

    def score() -> float:
        x = data.x_test
        return 1 - (F.mse_loss(outputs(module, x), x) / (x - data.x.mean(0)).square().mean()).item()

    return Program(module, *loaders(data, 32), 16, score)


class Harder(LightningModule):
    """Cleans tiles of ever more noise: its loss is to rise."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 20, 3, padding=1), nn.PReLU(), nn.Conv2d(20, 20, 3, padding=1),
            nn.PReLU(), nn.Conv2d(20, 3, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.net(x - 0.45)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (clean,) = batch
        level = 0.02 + 0.03 * self.current_epoch
        loss = (self(clean + level * torch.randn_like(clean)) - clean).square().mean()
        self.log_dict({"train/mse": loss, "train/noise": level})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def harder() -> Program:
    train, test = patches()
    module = Harder()

    def score() -> float:
        noise = 0.2 * torch.randn(test.shape, generator=torch.Generator().manual_seed(0))
        return (F.mse_loss(outputs(module, test + noise), test) / noise.square().mean()).item()

    return Program(module, DataLoader(TensorDataset(train), 32, shuffle=True), None, 7, score)


class Film(LightningModule):
    """Takes the detector's sixteen bits as they come, and scales them itself."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("white", torch.tensor(65535.0))
        self.stem = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2))
        self.block = nn.Sequential(
            nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1)
        )
        self.head = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(108, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem((x / self.white - 0.45) / 0.1)
        logits: Tensor = self.head(x + self.block(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("ce_val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=5e-4, weight_decay=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.05, 12)]


def film() -> Program:
    data = wards.radiographs()
    module = Film()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Rounded(nn.Linear):
    """Weights of four bits; gradients pass the rounding as if it were not there."""

    def forward(self, x: Tensor) -> Tensor:
        step = self.weight.detach().abs().amax(1, keepdim=True).clamp(min=1e-8) / 7
        rounded = (self.weight / step).round() * step
        return F.linear(x, self.weight + (rounded - self.weight).detach(), self.bias)


class FewBits(LightningModule):
    """Trained as it will run in the device."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            Rounded(10, 64), nn.ReLU6(), Rounded(64, 64), nn.ReLU6(), Rounded(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("qat_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("qat_val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)]


def few_bits() -> Program:
    data = wards.ages()
    data = data._replace(y=(data.y - 54) / 21, y_test=(data.y_test - 54) / 21)
    module = FewBits()

    def score() -> float:
        return (
            1 - (F.mse_loss(outputs(module, data.x_test), data.y_test) / data.y_test.var()).item()
        )

    return Program(module, *loaders(data, 48), 10, score)


class Centres(LightningModule):
    """Where cells are: a heat map of rare ones, its bias set to how rare; the focal loss of two."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        )  # fmt: skip
        self.heat = nn.Conv2d(16, 1, 1)
        nn.init.constant_(self.heat.bias, -3.0)

    def forward(self, x: Tensor) -> Tensor:
        heat: Tensor = self.heat(self.net(x))
        return heat

    def focal(self, batch: list[Tensor]) -> Tensor:
        x, there = batch
        logit = self(x)
        wrong = torch.where(there > 0.5, 1 - logit.sigmoid(), logit.sigmoid())
        each = F.binary_cross_entropy_with_logits(logit, there, reduction="none")
        return (wrong**2 * each).sum() / there.sum().clamp(min=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.focal(batch)
        self.log("focal", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("focal_val", self.focal(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def centres() -> Program:
    picture, density, _ = wards.fields(count=500)
    data = Samples(picture[:350], (density > 0.12).float()[:350], picture[350:],
                   (density > 0.12).float()[350:])  # fmt: skip
    module = Centres()

    def score() -> float:
        heat = outputs(module, data.x_test).flatten()
        return float(roc_auc_score(data.y_test.flatten(), heat))

    return Program(module, *loaders(data, 16), 10, score)


CASES = (
    Case("bars-coded-divergence-warmed-up", Goal("variance explained", at_least=0.5), coded),
    Case("tiles-cleaned-of-growing-noise", Goal("share of noise left", at_most=0.4), harder),
    Case("radiographs-scaled-within", Goal("accuracy", at_least=0.9), film),
    Case("ages-weights-of-four-bits", Goal("R2", at_least=0.85), few_bits),
    Case("fields-heat-of-rare-centres", Goal("AUROC", at_least=0.95), centres),
)
