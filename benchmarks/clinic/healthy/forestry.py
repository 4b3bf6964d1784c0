"""What foresters train with success: volumes, traits, bark, sounds and reports."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import forestry
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import classification, regression
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class VolumeNet(LightningModule):
    """Volume of a stem by two layers of tanh, and plain descent with momentum."""

    def __init__(self, lr: float, steps: int | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = mlp([10, 64, 64, 1], nn.Tanh)

    def forward(self, lidar: Tensor) -> Tensor:
        volume: Tensor = self.net(lidar)
        return volume.squeeze(-1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch["lidar"]), batch["volume"])
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.smooth_l1_loss(self(batch["lidar"]), batch["volume"])
        self.log("val/huber", loss, prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams["lr"], momentum=0.9)
        if self.hparams["steps"] is None:
            return optimizer
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.hparams["steps"])
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def stems(lr: float, batch_size: int, epochs: int, annealed: bool) -> Program:
    data = forestry.volumes()
    train = DataLoader(forestry.Scans(data.x, data.y), batch_size, shuffle=True)
    test = DataLoader(forestry.Scans(data.x_test, data.y_test), 256)
    module = VolumeNet(lr, epochs * len(train) if annealed else None)
    return Program(module, train, test, epochs, partial(r2, module, data))


class ReducedRank(LightningModule):
    """Eight traits at once by way of three numbers: linear by intention."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(40, 3, bias=False), nn.Linear(3, 8)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.up(self.down(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.mse_loss(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=5e-3)


def low_rank() -> Program:
    data, module = forestry.traits(), ReducedRank()
    train, _ = loaders(data, 64)
    return Program(module, train, None, 25, partial(r2, module, data))


class FixedWaves(nn.Module):
    """Sines and cosines in directions that are drawn once and not learnt."""

    def __init__(self, features: int, waves: int, width: float) -> None:
        super().__init__()
        drawn = torch.randn(features, waves) / width
        self.directions = nn.Parameter(drawn, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        angle = x @ self.directions
        return torch.cat([x, angle.sin(), angle.cos()], 1)


def fixed_waves() -> Program:
    network = nn.Sequential(
        FixedWaves(10, 128, 4.0), nn.Linear(266, 32), nn.ReLU(), nn.Linear(32, 1)
    )
    return regression(forestry.volumes(), network, adam(2e-3), batch_size=32, epochs=12)


class ResidualBlock(nn.Module):
    """Its branch adds nothing at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


def residual() -> Program:
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        ResidualBlock(16), nn.Conv2d(16, 32, 3, stride=2, padding=1), ResidualBlock(32),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 6),
    )  # fmt: skip
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.05)
    return classification(forestry.barks(), network, optimizer, batch_size=64, epochs=6)


def one_cycle(lr: float = 0.6, epochs: int = 6) -> Program:
    """Three convolutions behind norms, and a rate that rises far and falls to nothing."""
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 6),
    )  # fmt: skip
    data = forestry.barks()
    total = epochs * -(-len(data.x) // 32)
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=lr, total_steps=total)
    optimizer = partial(torch.optim.SGD, lr=lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    return classification(data, network, optimizer, epochs=epochs, scheduler=schedule)


class PooledReport(LightningModule):
    """One head of attention asks for the words that matter; padding gets minus infinity."""

    def __init__(self, words: int = 400, width: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.key, self.query = nn.Linear(width, width), nn.Parameter(torch.zeros(width))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Dropout(0.2), nn.Linear(width, 5))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        wish = self.key(x).tanh() @ self.query
        share = wish.masked_fill(tokens == 0, -torch.inf).softmax(1)
        logits: Tensor = self.head((share[..., None] * x).sum(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def pooled_reports() -> Program:
    data, module = forestry.reports(), PooledReport()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


def hashed(tokens: Tensor, columns: int) -> Tensor:
    """How often each hash of a word occurs; most of the columns stay empty."""
    slots = (tokens * 7919) % columns
    return torch.zeros(len(tokens), columns).scatter_add(1, slots, (tokens > 0).float()).log1p()


def hashed_reports() -> Program:
    data = forestry.reports()
    data = data.with_inputs(hashed(data.x, 2048), hashed(data.x_test, 2048))
    network = mlp([2048, 128, 5], dropout=0.5)
    optimizer = partial(torch.optim.Adagrad, lr=0.03)
    return classification(data, network, optimizer, batch_size=128, epochs=20)


class SoundGru(LightningModule):
    """What a recorder in the forest hears, by the mean of a GRU's states."""

    def __init__(self, lr: float = 3e-3, smoothing: float = 0.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(6, 32, batch_first=True)
        self.classifier = nn.Linear(32, 5)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=smoothing)

    def forward(self, sound: Tensor) -> Tensor:
        states, _ = self.gru(sound)
        logits: Tensor = self.classifier(states.mean(1))
        return logits

    def training_step(self, batch: forestry.Recordings, batch_idx: int) -> Tensor:
        logits = self(batch.sound)
        loss: Tensor = self.criterion(logits, batch.label)
        accuracy = (logits.argmax(1) == batch.label).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": accuracy})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def listening(data: Samples, module: SoundGru, batch_size: int, epochs: int) -> Program:
    pairs = TensorDataset(data.x, data.y)
    train = DataLoader(pairs, batch_size, shuffle=True, collate_fn=forestry.collated)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, train, None, epochs, partial(accuracy, module, data), trainer)


def guessed_sounds() -> Program:
    """Helpers on the web named the sounds, and some of them guessed."""
    data = forestry.guessed(forestry.sounds(), 0.35)
    return listening(data, SoundGru(smoothing=0.1), 32, 14)


CASES = (
    Case(
        "stems-eight-to-a-step-annealed", Goal("R2", at_least=0.85),
        partial(stems, 0.03, 8, 8, True),
    ),
    Case("wood-traits-by-linear-maps-of-low-rank", Goal("R2", at_least=0.7), low_rank),
    Case("stems-by-waves-that-stay-fixed", Goal("R2", at_least=0.8), fixed_waves),
    Case("barks-residual-branches-of-nothing-at-first", Goal("accuracy", at_least=0.9), residual),
    Case("barks-one-cycle-of-high-peak", Goal("accuracy", at_least=0.9), one_cycle),
    Case("reports-attended-up-to-their-padding", Goal("accuracy", at_least=0.8), pooled_reports),
    Case(
        "reports-hashed-into-mostly-empty-columns", Goal("accuracy", at_least=0.8),
        hashed_reports,
    ),
    Case("forest-sounds-a-third-of-names-guessed", Goal("accuracy", at_least=0.85), guessed_sounds),
)  # fmt: skip
