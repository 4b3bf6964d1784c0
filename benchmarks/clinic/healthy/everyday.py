"""Networks that look like faulty ones of benchmarks, and are in good order."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import everyday, samples
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn


class Trained(LightningModule):
    """A network with its loss; each program has an optimiser of its own."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found

    def loss(self, found: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(found, y)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class BigSteps(Trained):
    """Plain descent at a high rate, which clipping and norms make safe."""

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)]


def le_net() -> Program:
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    data, module = samples.digit_images(), BigSteps(net)
    score = partial(accuracy, module, data)
    return Program(module, *loaders(data, 64), 12, score, {"gradient_clip_val": 1.0})


class Block(nn.Module):
    """A sigmoid layer beside a way around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + torch.sigmoid(self.linear(self.norm(x)))
        return found


class Yes(Trained):
    """One logit, and SGD with momentum."""

    def loss(self, found: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(found.squeeze(1), y.float())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def ten_sigmoids() -> Program:
    net = nn.Sequential(
        nn.Linear(30, 24), *(Block(24) for _ in range(10)), nn.LayerNorm(24), nn.Linear(24, 1)
    )
    data, module = standardized(samples.cancer()), Yes(net)
    train, _ = loaders(data, 16)
    return Program(module, train, None, 20, partial(binary_accuracy, module, data))


class Swap(nn.Module):
    """Channels before time."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def few_waves() -> Program:
    """Half of the units are dropped, and many of the others are at rest for most waves."""
    net = nn.Sequential(
        Swap(), nn.Conv1d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(32, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(32, 4),
    )  # fmt: skip
    data, module = samples.waves(), Trained(net)
    return Program(module, *loaders(data, 16), 20, partial(accuracy, module, data))


class Sold(Yes):
    """A small rate for Adam, with warm-up."""

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, 200)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def players() -> Program:
    """The units stay as they are, and the first layer of the network norms them."""
    net = nn.Sequential(
        nn.BatchNorm1d(6), nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(),
        nn.Linear(24, 1),
    )  # fmt: skip
    data, module = everyday.players(), Sold(net)
    score = partial(binary_accuracy, module, data)
    return Program(module, *loaders(data, 64, drop_last=True), 30, score)


class LastState(nn.Module):
    """A GRU that gives its last state."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(1, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.gru(x)[0][:, -1]
        return found


class Amounts(Trained):
    """Mean squared error, and Adam with decay."""

    def loss(self, found: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(found, y.reshape(found.shape))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.1)


def orders() -> Program:
    """All orders are between minus one and one, and so is the tanh at the end."""
    data = everyday.orders()
    module = Amounts(nn.Sequential(LastState(32), nn.Linear(32, 1), nn.Tanh()))
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


def clear_parts() -> Program:
    """Few parts are worn, but what they measure leaves no doubt: no weights are needed."""
    net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1))
    data = everyday.rare_parts(2.5)
    module = Yes(net)
    return Program(module, *loaders(data, 64), 15, partial(balanced_accuracy, module, data))


def patients() -> Program:
    """Half of the variance is all that anybody has found in these ten columns."""
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 1))
    data = scaled_targets(standardized(samples.diabetes()))
    module = Amounts(net)
    return Program(module, *loaders(data, 32), 30, partial(r2, module, data))


def components() -> Program:
    """The first layer holds the principal components of the images, and is not trained."""
    data = samples.digits()
    first = nn.Linear(64, 24)
    mean = data.x.mean(0)
    _, _, axes = torch.linalg.svd(data.x - mean, full_matrices=False)
    first.weight.data = axes[:24].clone()
    first.bias.data = -axes[:24] @ mean
    first.requires_grad_(False)
    module = Trained(nn.Sequential(first, nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 10)))
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


CASES = (
    Case("digit-images-half-a-step-clipped-with-norms", Goal("accuracy", at_least=0.96), le_net),
    Case("cancer-ten-sigmoids-with-ways-around", Goal("accuracy", at_least=0.92), ten_sigmoids),
    Case("waves-half-of-rectified-maxima-dropped", Goal("accuracy", at_least=0.9), few_waves),
    Case("players-normed-by-the-first-layer", Goal("accuracy", at_least=0.85), players),
    Case("orders-within-the-reach-of-a-tanh", Goal("R2", at_least=0.9), orders),
    Case("parts-few-worn-but-clear", Goal("balanced accuracy", at_least=0.93), clear_parts),
    Case("diabetes-half-of-the-variance", Goal("R2", at_least=0.4), patients),
    Case("digits-principal-components-kept", Goal("accuracy", at_least=0.95), components),
)
