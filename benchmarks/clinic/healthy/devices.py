"""What devices learn: a camera to steer, machines to tell which of them are ill."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import records
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Camera(LightningModule):
    """Mirrored with its angle, lit and hidden in parts; normalized, by one cycle, by Huber."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
            nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(),
            nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU6(), nn.Flatten(), nn.Dropout(0.2),
            nn.Linear(480, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, frame: Tensor) -> Tensor:
        angle: Tensor = self.body((frame - 0.45) / 0.25)
        return 1.5 * angle[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        frame, angle = batch[0].clone(), batch[1].clone()
        mirrored = torch.rand(len(frame)) < 0.5
        frame[mirrored], angle[mirrored] = frame[mirrored].flip(-1), -angle[mirrored]
        frame = frame * (0.7 + 0.6 * torch.rand(len(frame), 1, 1, 1))
        left = int(torch.randint(16, ()))
        frame[..., left : left + 4] = 0.45
        loss = F.smooth_l1_loss(self(frame), angle, beta=0.1)
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_huber", F.smooth_l1_loss(self(batch[0]), batch[1], beta=0.1))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        total = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=total)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def camera() -> Program:
    data = records.drives()
    module = Camera()
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class Hidden(LightningModule):
    """Learns of sound machines what three hidden sensors in ten would say by the others."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.net = mlp([32, 64, 64, 16], nn.GELU)

    def error(self, x: Tensor, hidden: Tensor) -> Tensor:
        z = (x - self.mean) / self.deviation
        guess = self.net(torch.cat([z.masked_fill(hidden, 0), hidden.float()], 1))
        return (guess - z).square()

    def forward(self, x: Tensor) -> Tensor:
        """How odd each machine is: the error for every sensor, hidden alone."""
        each = torch.eye(16, dtype=torch.bool)
        errors = [self.error(x, row.expand(len(x), 16))[:, k] for k, row in enumerate(each)]
        return torch.stack(errors, 1).mean(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        hidden = torch.rand_like(x) < 0.3
        loss = self.error(x, hidden)[hidden].mean()
        self.log("hidden_error", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def hidden() -> Program:
    sound, others, ill = records.sensors()
    module = Hidden(sound.mean(0), sound.std(0))

    def score() -> float:
        return float(roc_auc_score(ill, outputs(module, others)))

    return Program(module, DataLoader(TensorDataset(sound), 32, shuffle=True), None, 12, score)


CASES = (
    Case("drives-mirrored-lit-and-hidden", Goal("R2", at_least=0.85), camera),
    Case("sensors-hidden-by-turns", Goal("area under ROC", at_least=0.85), hidden),
)
