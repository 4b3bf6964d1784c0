"""Trainings that bring their own teacher, rates or ends: turned digits, snapshots, bars."""

from copy import deepcopy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import services, surveys, wards
from data_sets.samples import Samples, digit_images, loaders, scaled_targets
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Rotations(LightningModule):
    """All four quarter turns of each digit, and which was which (RotNet). Noughts look alike."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3),
        )  # fmt: skip
        self.head = nn.Linear(512, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(2 * x - 1))
        return logits

    def pretext(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        (x,) = batch
        turned = torch.cat([torch.rot90(x, k, (2, 3)) for k in range(4)])
        y = torch.arange(4).repeat_interleave(len(x))
        logits = self(turned)
        return F.cross_entropy(logits, y), (logits.argmax(1) == y).float().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, right = self.pretext(batch)
        self.log("ssl/loss", loss)
        self.log("ssl/right", right)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, right = self.pretext(batch)
        self.log("ssl/held_out_loss", loss)
        self.log("ssl/held_out_right", right)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)


def rotations() -> Program:
    data = digit_images()
    train, test = data.x, data.x_test
    module = Rotations()
    both = (DataLoader(TensorDataset(x), 32, shuffle=x is train) for x in (train, test))

    def score() -> float:
        right = [
            (outputs(module, torch.rot90(test, k, (2, 3))).argmax(1) == k).float().mean()
            for k in range(4)
        ]
        return torch.stack(right).mean().item()

    return Program(module, *both, 6, score)


class Snapshots(LightningModule):
    """Three cycles of a cosine; the net at the end of each is kept, and their mean answers."""

    def __init__(self, cycle: int = 5) -> None:
        super().__init__()
        self.cycle = cycle
        self.net = mlp([5, 48, 48, 1], nn.ReLU)
        self.kept: list[nn.Module] = []

    def forward(self, x: Tensor) -> Tensor:
        nets = self.kept if self.kept and not self.training else [self.net]
        return torch.stack([net(x)[:, 0] for net in nets]).mean(0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        if (self.current_epoch + 1) % self.cycle == 0:
            self.kept.append(deepcopy(self.net).requires_grad_(False))

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self.net(batch[0])[:, 0], batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
        restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, self.cycle)
        return [optimizer], [restarts]


def snapshots() -> Program:
    data = scaled_targets(services.parcels())
    module = Snapshots()
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


class Shapes(LightningModule):
    """A net that knew colours learns shapes; the nearer to the picture, the slower a layer."""

    def __init__(self, body: nn.Sequential, classes: int) -> None:
        super().__init__()
        self.body, self.fc = body, nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("finetune_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("finetune_val_loss", F.cross_entropy(logits, batch[1]))
        self.log("finetune_val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        layers = [layer for layer in self.body if any(True for _ in layer.parameters())]
        groups = [
            {"params": layer.parameters(), "lr": 8e-3 * 0.5 ** (len(layers) - i)}
            for i, layer in enumerate(layers)
        ]
        return torch.optim.AdamW([*groups, {"params": self.fc.parameters(), "lr": 8e-3}])


def shapes() -> Program:
    found = surveys.pictures()
    body = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.LeakyReLU(0.1), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(288, 32), nn.LeakyReLU(0.1),
    )  # fmt: skip
    colours = found.labelled(found.colour, 500)
    first = Shapes(body, int(found.colour.max()) + 1)
    Program(first, *loaders(colours, 32), 3, float).fit()
    data = found.labelled(found.shape)
    module = Shapes(deepcopy(body), int(found.shape.max()) + 1)
    return Program(module, *loaders(data, 32), 16, partial(accuracy, module, data))


class Bearing(LightningModule):
    """Half the arc between two directions; kept away from where its slope has no end."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 5, 2, 2), nn.CELU(), nn.Conv2d(8, 16, 3, 2, 1), nn.CELU(),
            nn.Flatten(), nn.Linear(256, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.net(x), dim=1)

    def arc(self, batch: list[Tensor]) -> Tensor:
        cosine = (self(batch[0]) * batch[1]).sum(1)
        return 0.5 * torch.rad2deg(torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.arc(batch)
        self.log("degrees", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("degrees_val", self.arc(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.05, 12)]


def degrees(module: LightningModule, data: Samples) -> float:
    cosine = (outputs(module, data.x_test) * data.y_test).sum(1).clamp(-1, 1)
    return 0.5 * torch.rad2deg(torch.acos(cosine)).mean().item()


def bearing() -> Program:
    data = wards.bars()
    module = Bearing()
    return Program(module, *loaders(data, 32), 12, partial(degrees, module, data))


CASES = (
    Case("digit-images-turned-and-turned-back", Goal("accuracy", at_least=0.75), rotations),
    Case("parcels-three-snapshots-of-a-cosine", Goal("R2", at_least=0.7), snapshots),
    Case("shapes-after-colours-layer-by-layer", Goal("accuracy", at_least=0.8), shapes),
    Case("bars-degrees-of-half-the-arc", Goal("degrees off", at_most=2.0), bearing),
)
