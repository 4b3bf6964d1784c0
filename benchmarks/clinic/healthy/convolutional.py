"""Convolutional networks that learn: images, series, augmentation and borrowed layers."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import ADAM, LitClassifier, Optimizer, adam, reset, sgd
from programs import classification
from scores import accuracy
from torch import Tensor, nn


def published(epochs: int = 8) -> Program:
    """Healthy as published with AUTOTRAINER: he_normal, L2 of 1e-5, SGD of 0.1."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 512), nn.ReLU(), nn.Linear(512, 10),
    )  # fmt: skip
    reset(network, partial(nn.init.kaiming_normal_, nonlinearity="relu"))
    optimizer = sgd(0.1, weight_decay=1e-5)
    return classification(samples.digit_images(), network, optimizer, epochs=epochs)


def group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(4, channels)


def stack(
    norm: Any = nn.BatchNorm2d, activation: Any = nn.ReLU, optimizer: Optimizer = ADAM,
    batch_size: int = 32, epochs: int = 6,
) -> Program:  # fmt: skip
    layers: list[nn.Module] = []
    for before, after, stride in ((1, 16, 1), (16, 16, 2), (16, 32, 1)):
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), norm(after), activation()]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 16, 10))
    return classification(
        samples.digit_images(), network, optimizer, batch_size=batch_size, epochs=epochs
    )


class BasicBlock(nn.Module):
    """ResNet's block."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.skip = nn.Conv2d(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.skip(x))


def small_resnet() -> Program:
    blocks = BasicBlock(1, 12, 1), BasicBlock(12, 24, 2), BasicBlock(24, 24, 1)
    network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(96, 10))
    return classification(samples.digit_images(), network, sgd(0.05, 0.9), epochs=6)


def depthwise() -> Program:
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU6(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU6(), nn.Conv2d(16, 32, 1), nn.ReLU6(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, 10),
    )  # fmt: skip
    return classification(samples.digit_images(), network, adam(2e-3), epochs=7)


class Augmented(LitClassifier):
    """Shifts, noise and erased patches, drawn anew for each batch."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        dx, dy = torch.randint(-1, 2, (2,)).tolist()
        x = torch.roll(F.pad(x, (1, 1, 1, 1)), (dx, dy), (2, 3))[:, :, 1:-1, 1:-1]
        x = x + 0.15 * torch.randn_like(x)
        row, column = torch.randint(0, 6, (2,)).tolist()
        x[:, :, row : row + 3, column : column + 3] = 0.0
        return super().training_step((x, y), batch_idx)


class Mixed(LitClassifier):
    """MixUp: inputs and losses of two samples at a time."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        share = torch.distributions.Beta(0.4, 0.4).sample().item()
        other = torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        loss = share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y[other])
        self.log("mixup_loss", loss)
        return loss


def pooled_network(channels: int = 16) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.BatchNorm2d(2 * channels), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * channels, 10),
    )  # fmt: skip


def styled(module: type[LitClassifier], epochs: int) -> Program:
    data = samples.digit_images()
    model = module(pooled_network(), adam(2e-3))
    return Program(model, *loaders(data, 32), epochs, partial(accuracy, model, data))


def pretrained_body() -> nn.Sequential:
    """A body that has seen the digits 0 to 4."""
    data = samples.digit_images()
    seen = data.y < 5
    network = pooled_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(3):
        for part in torch.randperm(int(seen.sum())).split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(data.x[seen][part]), data.y[seen][part]).backward()
            optimizer.step()
    return network[:-1]


def other_digits() -> Samples:
    data = samples.digit_images()
    new, new_test = data.y >= 5, data.y_test >= 5
    return Samples(data.x[new], data.y[new] - 5, data.x_test[new_test], data.y_test[new_test] - 5)


class FineTuned(LightningModule):
    """A borrowed body, frozen on purpose or trained slowly, and a head of its own."""

    def __init__(self, body: nn.Module, frozen: bool) -> None:
        super().__init__()
        self.body, self.head, self.frozen = body, nn.Linear(512, 5), frozen
        self.body.requires_grad_(not frozen)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def on_train_epoch_start(self) -> None:
        if self.frozen:
            self.body.eval()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("finetune_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [{"params": self.head.parameters(), "lr": 3e-3}]
        if not self.frozen:
            groups.append({"params": self.body.parameters(), "lr": 1e-4})
        return torch.optim.Adam(groups)


def fine_tuned(frozen: bool) -> Program:
    data = other_digits()
    module = FineTuned(pretrained_body(), frozen)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(accuracy, module, data))


class Series(nn.Module):
    """Dilated convolutions over a series, its channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(1 if i == 0 else 24, 24, 3, padding=2**i, dilation=2**i) for i in range(3)
        )
        self.out = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for conv in self.convs:
            x = F.relu(conv(x))
        return self.out(x.mean(2))


def series() -> Program:
    return classification(samples.waves(), Series(), adam(3e-3), epochs=10)


def imbalanced(epochs: int = 10) -> Program:
    """One digit is twenty times rarer than the others, and still recognised."""
    data = samples.digit_images()
    rare = torch.where(data.y == 3)[0][6:]
    kept = torch.ones(len(data.y), dtype=torch.bool)
    kept[rare] = False
    data = data._replace(x=data.x[kept], y=data.y[kept])
    return classification(data, pooled_network(), adam(1e-3), epochs=epochs)


IMAGES = Goal("accuracy", at_least=0.9)
CASES = (
    Case("digit-images-published", Goal("accuracy", at_least=0.87), published, fast=True),
    Case("digit-images-batch-norm", IMAGES, stack),
    Case("digit-images-group-norm", IMAGES, partial(stack, group_norm, nn.ReLU, adam(2e-3))),
    Case(
        "digit-images-hard-swish", IMAGES,
        partial(stack, nn.BatchNorm2d, nn.Hardswish, sgd(0.03, 0.9)),
    ),
    Case(
        "digit-images-tiny-batches", IMAGES,
        partial(stack, group_norm, nn.ReLU, adam(5e-4), batch_size=4, epochs=2),
    ),
    Case("digit-images-resnet", IMAGES, small_resnet),
    Case("digit-images-depthwise", IMAGES, depthwise),
    Case("digit-images-augmented", Goal("accuracy", at_least=0.85), partial(styled, Augmented, 14)),
    Case("digit-images-mixup", IMAGES, partial(styled, Mixed, 8)),
    Case("digit-images-frozen-body", IMAGES, partial(fine_tuned, True), fast=True),
    Case("digit-images-fine-tuned", IMAGES, partial(fine_tuned, False)),
    Case("waves-dilated", IMAGES, series),
    Case("digit-images-one-digit-rare", IMAGES, imbalanced),
)  # fmt: skip
