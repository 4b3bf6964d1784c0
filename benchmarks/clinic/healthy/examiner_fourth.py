"""A fourth examiner's controls: each looks like a fault that it has not."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner_fourth
from data_sets.samples import (
    cancer,
    digit_images,
    digits,
    linear_targets,
    loaders,
    standardized,
)
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

Batch = list[Tensor]


class OneCycle(LightningModule):
    """A convolutional network, its rate up to a bold peak and down to nothing."""

    def __init__(self, peak: float) -> None:
        super().__init__()
        self.peak = peak
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24),
            nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 10),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.net(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, digit = batch
        loss = F.cross_entropy(self(image), digit)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, digit = batch
        self.log("val_loss", F.cross_entropy(self(image), digit))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, nesterov=True)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.peak, total_steps=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def one_cycle() -> Program:
    data = digit_images()
    module = OneCycle(0.2)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class WideRelu(LightningModule):
    """Many units, a tenth of which never say a word; the network does not need them."""

    def __init__(self, width: int = 160) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, width), nn.Linear(width, width)
        self.last = nn.Linear(width, 10)
        with torch.no_grad():
            for layer in (self.first, self.second):
                layer.bias[: width // 10] = -8.0

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.second(F.relu(self.first(x))))
        return F.log_softmax(self.last(x), dim=1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.nll_loss(self(x), y)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("val_nll", F.nll_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def wide_relu() -> Program:
    data = digits()
    module = WideRelu()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Tumours(LightningModule):
    """One logit from thirty measurements; stops when the validation loss no longer falls."""

    def __init__(self, raw: bool) -> None:
        super().__init__()
        norm = nn.BatchNorm1d(30) if raw else nn.Identity()
        self.net = nn.Sequential(norm, nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 1))
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1].float())
        self.log("train/bce", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val/bce", self.criterion(self(batch[0]), batch[1].float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=4e-3)


def raw_tumours() -> Program:
    """Areas of hundreds beside ratios of thousandths: the first layer normalizes them."""
    data = cancer()
    module = Tumours(raw=True)
    return Program(module, *loaders(data, 32), 15, partial(binary_accuracy, module, data))


class EarlyDigits(LightningModule):
    """Learns a few digits by heart, and is stopped when those kept back get no better."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 200), nn.LeakyReLU(), nn.Linear(200, 100), nn.LeakyReLU(),
            nn.Linear(100, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_ce", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_callbacks(self) -> list[Callback]:
        return [EarlyStopping("val_ce", patience=4)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def early_digits() -> Program:
    data = digits().first(500)
    module = EarlyDigits()
    return Program(module, *loaders(data, 25), 25, partial(accuracy, module, data))


class FrozenBackbone(LightningModule):
    """Principal components as a backbone that stays as it is, and a head."""

    def __init__(self, components: Tensor) -> None:
        super().__init__()
        self.backbone = nn.Linear(64, len(components), bias=False)
        self.backbone.weight.data.copy_(components)
        self.backbone.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(len(components), 48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=3e-3)


def frozen_backbone() -> Program:
    data = digits()
    _, _, directions = torch.linalg.svd(data.x - data.x.mean(0), full_matrices=False)
    module = FrozenBackbone(directions[:24])
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Rare(LightningModule):
    """One of twenty is an event; the sampler shows as many of them as of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.lin1, self.lin2, self.lin3 = nn.Linear(12, 48), nn.Linear(48, 24), nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.lin3(self.lin2(self.lin1(x).relu()).relu())
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("xent", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        found = self(x).argmax(1)
        self.log("recall", (found[y == 1] == 1).float().mean())
        self.log("specificity", (found[y == 0] == 0).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)


def rare() -> Program:
    data = examiner_fourth.events(0.05, apart=1.8)
    module = Rare()
    weights = (1 / data.y.bincount().float())[data.y]
    sampler = WeightedRandomSampler(weights.tolist(), len(weights))
    train = DataLoader(TensorDataset(data.x, data.y), 64, sampler=sampler)
    validation = DataLoader(TensorDataset(data.x_test, data.y_test), 500)
    return Program(module, train, validation, 6, partial(balanced_accuracy, module, data))


class ReducedRank(LightningModule):
    """Regression of a rank that is reduced on purpose: two matrices, nothing between them."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(20, rank, bias=False), nn.Linear(rank, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(self.down(x))
        return y.view(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def reduced_rank() -> Program:
    data = standardized(linear_targets())
    module = ReducedRank(4)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class DroppingVibrations(LightningModule):
    """Half of the features dropped, twice: the training loss stays above that of validation."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 24, 7, stride=2, padding=3), nn.GELU(), nn.Dropout1d(0.1),
            nn.Conv1d(24, 48, 5, stride=2, padding=2), nn.GELU(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(48, 64), nn.GELU(), nn.Dropout(0.5), nn.Linear(64, 4)
        )

    def forward(self, signal: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(signal).amax(-1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        signal, kind = batch
        loss = F.cross_entropy(self(signal), kind)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        signal, kind = batch
        self.log("val_loss", F.cross_entropy(self(signal), kind))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def dropping_vibrations() -> Program:
    data = examiner_fourth.bearings()
    module = DroppingVibrations()
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class ZeroBlock(nn.Module):
    """Attention and a small network, the last matrix of each zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        nn.init.zeros_(self.attend.out_proj.weight)
        nn.init.zeros_(self.mlp[2].weight)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attend(normed, normed, normed, need_weights=False)[0]
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class ZeroTransformer(LightningModule):
    """Which of three words comes first? Blocks that are the identity at first, a head of zeros."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.words = nn.Embedding(40, width)
        self.places = nn.Parameter(0.5 * torch.randn(14, width))
        self.blocks = nn.Sequential(ZeroBlock(width), ZeroBlock(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 3)
        nn.init.zeros_(self.head.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.blocks(self.words(tokens) + self.places)
        logits: Tensor = self.head(self.norm(x).mean(1))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        tokens, first = batch
        loss = F.cross_entropy(self(tokens), first)
        self.log("lm/loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        tokens, first = batch
        self.log("lm/val", F.cross_entropy(self(tokens), first))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, weight_decay=0.01)
        warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=40)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": warm_up, "interval": "step"}}


def zero_transformer() -> Program:
    data = examiner_fourth.orders()
    module = ZeroTransformer()
    return Program(module, *loaders(data, 48), 10, partial(accuracy, module, data))


CASES = (
    Case("examiner-one-bold-cycle", Goal("accuracy", at_least=0.95), one_cycle),
    Case("examiner-tenth-of-units-silent", Goal("accuracy", at_least=0.94), wide_relu),
    Case("examiner-raw-tumours-normalized-inside", Goal("accuracy", at_least=0.93), raw_tumours),
    Case("examiner-digits-by-heart-stopped", Goal("accuracy", at_least=0.91), early_digits),
    Case("examiner-principal-backbone", Goal("accuracy", at_least=0.94), frozen_backbone),
    Case("examiner-sampled-rare-events", Goal("balanced accuracy", at_least=0.8), rare),
    Case("examiner-reduced-rank", Goal("R2", at_least=0.95), reduced_rank),
    Case("examiner-half-dropped-twice", Goal("accuracy", at_least=0.9), dropping_vibrations),
    Case("examiner-transformer-from-zero", Goal("accuracy", at_least=0.85), zero_transformer),
)
