"""Programs carried over from elsewhere: tutorials, recipes and loops without layers."""

import copy
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import BaseFinetuning
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class KerasModel(LightningModule):
    """Dense layers as Keras draws them, one-hot labels, RMSprop; an average of it is evaluated."""

    def __init__(self, x_dim: int = 64, y_dim: int = 10) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(x_dim, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 128), nn.ReLU(),
            nn.Dropout(0.2), nn.Linear(128, y_dim),
        )  # fmt: skip
        for m in self.model:
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.zeros_(m.bias)
        self.ema = copy.deepcopy(self.model).eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x) if self.training else self.ema(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        y_pred = self(x)
        loss = F.cross_entropy(y_pred, y)
        self.log("loss", loss, prog_bar=True)
        self.log("accuracy", (y_pred.argmax(1) == y.argmax(1)).float().mean(), prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        for e, p in zip(self.ema.parameters(), self.model.parameters(), strict=True):
            e.mul_(0.98).add_(p.detach(), alpha=0.02)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def keras() -> Program:
    data = samples.digits()
    one_hot = data._replace(
        y=F.one_hot(data.y, 10).float(), y_test=F.one_hot(data.y_test, 10).float()
    )
    module = KerasModel()
    return Program(module, *loaders(one_hot, 64), 20, partial(accuracy, module, data))


class Recipe(LightningModule):
    """Pictures cut and mixed, a yes or no for each class, no decay of norms, a warmed cosine."""

    def __init__(self, epochs: int, steps: int) -> None:
        super().__init__()

        def conv(a: int, b: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.SiLU(),
                nn.MaxPool2d(2),
            )  # fmt: skip

        self.stages = nn.Sequential(conv(3, 16), conv(16, 32), nn.Flatten())
        self.head = nn.Linear(288, 4)
        self.total = epochs * steps
        self.rng = np.random.default_rng(0)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(x))
        return logits

    def cutmix(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        top, left = self.rng.integers(0, 7, 2)
        high, wide = self.rng.integers(2, 6, 2)
        x = x.clone()
        x[:, :, top : top + high, left : left + wide] = x.flip(0)[
            :, :, top : top + high, left : left + wide
        ]
        kept = 1 - high * wide / x[0, 0].numel()
        return x, kept * y + (1 - kept) * y.flip(0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        target = F.one_hot(y, 4).float() * 0.9 + 0.025
        if self.rng.random() < 0.5:
            x, target = self.cutmix(x, target)
        loss = F.binary_cross_entropy_with_logits(self(x), target)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("eval/loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> Any:
        decay = [p for p in self.parameters() if p.ndim > 1]
        none = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": 0.05}, {"params": none, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=4e-3)
        warm = self.total // 10

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1 + float(np.cos(np.pi * (step - warm) / (self.total - warm))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def recipe() -> Program:
    pictures = surveys.pictures()
    data = pictures.labelled(pictures.shape)
    train, validation = loaders(data, 32, drop_last=True)
    module = Recipe(16, len(train))
    return Program(module, train, validation, 16, partial(accuracy, module, data))


class Unfreezing(BaseFinetuning):
    """The head for four epochs; then the body too, at a hundredth of its rate."""

    def freeze_before_training(self, pl_module: LightningModule) -> None:
        self.freeze(pl_module.body, train_bn=False)

    def finetune_function(
        self, pl_module: LightningModule, epoch: int, optimizer: torch.optim.Optimizer
    ) -> None:
        if epoch == 4:
            self.unfreeze_and_add_param_group(pl_module.body, optimizer, initial_denom_lr=100)


class Transferred(LightningModule):
    """A body that knows five digits already, and a head for the other five."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(96, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_callbacks(self) -> list[Any]:
        return [Unfreezing()]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        asked = filter(lambda p: p.requires_grad, self.parameters())
        return torch.optim.Adam(asked, lr=5e-3)


def halves() -> tuple[Samples, Samples]:
    """Digits below five, and the others."""
    data = samples.digits()
    low, low_test = data.y < 5, data.y_test < 5
    first = Samples(data.x[low], data.y[low], data.x_test[low_test], data.y_test[low_test])
    rest = data.x[~low], data.y[~low] - 5, data.x_test[~low_test], data.y_test[~low_test] - 5
    return first, Samples(*rest)


def transferred() -> Program:
    known, new = halves()
    body = nn.Sequential(
        nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 96), nn.ReLU()
    )
    network = nn.Sequential(body, nn.Linear(96, 5))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(12):
        for x, y in loaders(known, 32)[0]:
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimizer.step()
    module = Transferred(body)
    return Program(module, *loaders(new, 32), 18, partial(accuracy, module, new))


class GroundState(LightningModule):
    """A wave function of bare parameters in a double well; the loss is its energy, below zero."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.theta = nn.ParameterDict({
            "w1": torch.randn(1, width), "b1": torch.randn(width),
            "w2": torch.randn(width, width) / width**0.5, "b2": torch.zeros(width),
            "w3": torch.randn(width, 1) / width**0.5,
        })  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        t = self.theta
        h = torch.tanh(x[:, None] @ t["w1"] + t["b1"])
        h = torch.tanh(h @ t["w2"] + t["b2"])
        psi: Tensor = (h @ t["w3"])[:, 0] * torch.exp(-(x**2) / 4)
        return psi

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0].requires_grad_()
        psi = self(x)
        (slope,) = torch.autograd.grad(psi.sum(), x, create_graph=True)
        potential = 0.25 * x**4 - 3 * x**2
        energy = (0.5 * slope**2 + potential * psi**2).mean() / (psi**2).mean()
        self.log("energy", energy, prog_bar=True)
        return energy

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def ground_state() -> Program:
    """Places at random, and the exact energy by a fine grid."""
    generator = torch.Generator().manual_seed(3)
    places = 10 * torch.rand(25_600, generator=generator) - 5
    module = GroundState()
    train = DataLoader(TensorDataset(places), 256, shuffle=True)
    grid = torch.linspace(-5, 5, 1001, dtype=torch.float64)
    step = (grid[1] - grid[0]).item()
    off = torch.full((1000,), -0.5 / step**2, dtype=torch.float64)
    hamilton = torch.diag(1 / step**2 + 0.25 * grid**4 - 3 * grid**2)
    hamilton += torch.diag(off, 1) + torch.diag(off, -1)
    exact = torch.linalg.eigvalsh(hamilton)[0].item()

    def score() -> float:
        psi = outputs(module, grid.float()).double()
        return (psi @ hamilton @ psi / (psi @ psi)).item() - exact

    return Program(module, train, None, 12, score)


CASES = (
    Case("digits-as-in-keras", Goal("accuracy", at_least=0.92), keras),
    Case("shapes-cut-and-mixed", Goal("accuracy", at_least=0.85), recipe),
    Case("digits-body-unfrozen-later", Goal("accuracy", at_least=0.9), transferred),
    Case("double-well-ground-state", Goal("energy above the exact", at_most=0.05), ground_state),
)
