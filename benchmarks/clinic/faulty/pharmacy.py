"""A pharmacy's programs: numbers on boxes, reports of reactions, tablets and their assays."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import pharmacy
from data_sets.samples import digit_images, digits, loaders
from lightning.pytorch import LightningModule
from modules import RegressionTask, mlp
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class ResidualBlock(nn.Module):
    """Two convolutions drawn after He, their norms left out on demand."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        kinds = [nn.BatchNorm2d(width) if norm else nn.Identity() for _ in range(2)]
        self.norm1, self.norm2 = kinds
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(inner)))


class ResNet(LightningModule):
    """A stem, fourteen blocks, an average and a line."""

    def __init__(self, norm: bool, width: int = 16, blocks: int = 14) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width, norm) for _ in range(blocks)))
        self.fc = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.blocks(F.relu(self.stem(x))).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)]


def lot_numbers(norm: bool) -> Program:
    data, module = digit_images(), ResNet(norm)
    return Program(module, *loaders(data, 64), 8, partial(accuracy, module, data))


class DeepAutoencoder(LightningModule):
    """Down to a code of ten numbers and up again, without training layer by layer before."""

    def __init__(self, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.encoder = mlp([64, 56, 48, 40, 32, 10], activation).append(activation())
        self.decoder = mlp([10, 32, 40, 48, 56, 64], activation)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("reconstruction", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_reconstruction", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def imprints(activation: Callable[[], nn.Module]) -> Program:
    """Scored by the share of the pixels' variance that comes back."""
    data, module = digits(), DeepAutoencoder(activation)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.x_test)
        variance = (data.x_test - data.x.mean(0)).square().mean()
        return (1 - error / variance).item()

    return Program(module, *loaders(data, 32), 40, score)


class Reports(Dataset[dict[str, Tensor]]):
    """Each report of a side effect as a dictionary."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"findings": self.x[index], "serious": self.y[index]}


class Triage(LightningModule):
    """Which reports are serious."""

    def __init__(self, weights: Tensor | None) -> None:
        super().__init__()
        self.net = mlp([12, 32, 16, 2], dropout=0.1)
        self.criterion = nn.CrossEntropyLoss(weight=weights)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logits = self(batch["findings"])
        loss: Tensor = self.criterion(logits, batch["serious"])
        right = (logits.argmax(1) == batch["serious"]).float().mean()
        self.log_dict({f"{stage}/loss": loss, f"{stage}/acc": right}, on_epoch=True)
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)


def reactions(weighted: bool) -> Program:
    data = pharmacy.reactions()
    counts = data.y.bincount()
    module = Triage(counts.sum() / (2 * counts) if weighted else None)
    train = DataLoader(Reports(data.x, data.y), 64, shuffle=True)
    test = DataLoader(Reports(data.x_test, data.y_test), 256)
    return Program(module, train, test, 10, partial(balanced_accuracy, module, data))


def trial_batches(epochs: int, dropout: float, decay: float) -> Program:
    """A wide network for 150 rows; the cured one is stopped early and held back."""
    data = pharmacy.trial_batches()
    network = mlp([8, 256, 256, 1], dropout=dropout)
    optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=decay)
    module = RegressionTask(network, optimizer)
    return Program(module, *loaders(data, 16), epochs, partial(r2, module, data))


class Body(nn.Module):
    """Convolutions down to sixteen largest answers."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (1, 16, 16, 16)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.relu(conv(x))
        return x.amax((2, 3))


def taught_by_turns(steps: int = 120) -> Body:
    """A body that was taught to say by how many quarters a picture is turned."""
    body, head = Body(), nn.Linear(16, 4)
    x = digit_images().x
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(steps):
        pictures = x[torch.randint(len(x), (64,))]
        turned = torch.cat([pictures.rot90(k, (2, 3)) for k in range(4)])
        loss = F.cross_entropy(head(body(turned)), torch.arange(4).repeat_interleave(64))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return body


class FineTuned(LightningModule):
    """The head is trained alone for two epochs, then the body is unfrozen."""

    def __init__(self, body: nn.Module, filtered: bool) -> None:
        super().__init__()
        self.body, self.head = body.requires_grad_(False), nn.Linear(16, 10)
        self.filtered = filtered

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def on_train_epoch_start(self) -> None:
        if self.current_epoch == 2:
            self.body.requires_grad_(True)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def chosen(self) -> Iterator[nn.Parameter]:
        """Those that are trained now, or all."""
        return (p for p in self.parameters() if p.requires_grad or not self.filtered)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.chosen(), lr=5e-3)


def blister_digits(filtered: bool) -> Program:
    data, module = digit_images(), FineTuned(taught_by_turns(), filtered)
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class OwnConv(nn.Module):
    """A convolution by hand, its weights of deviation one or as He would draw them."""

    def __init__(self, before: int, after: int, width: int, scaled: bool) -> None:
        super().__init__()
        scale = (2 / (before * width)) ** 0.5 if scaled else 1.0
        self.weight = nn.Parameter(scale * torch.randn(after, before, width))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight, self.bias, padding="same")


class PeakReader(LightningModule):
    """Four own convolutions, pooled between, and a line to five substances."""

    def __init__(self, scaled: bool) -> None:
        super().__init__()
        sizes = (1, 16, 32, 32, 32)
        self.convs = nn.ModuleList(OwnConv(a, b, 5, scaled) for a, b in pairwise(sizes))
        self.out = nn.Linear(32 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.max_pool1d(F.relu(conv(x)), 2)
        logits: Tensor = self.out(x.flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def chromatograms(scaled: bool) -> Program:
    data, module = pharmacy.chromatograms(), PeakReader(scaled)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(accuracy, module, data))


CASES = (
    Case(
        "lot-numbers-residual-net-without-norms", Goal("accuracy", at_least=0.9),
        partial(lot_numbers, False), ("exploding_gradient", "non_finite", "poor_initialization"),
        partial(lot_numbers, True),
    ),
    Case(
        "imprints-coded-through-ten-sigmoids", Goal("R2", at_least=0.5),
        partial(imprints, nn.Sigmoid), ("vanishing_gradient",), partial(imprints, nn.ELU),
    ),
    Case(
        "reactions-serious-ones-are-rare", Goal("balanced accuracy", at_least=0.7),
        partial(reactions, False), ("class_imbalance",), partial(reactions, True),
    ),
    Case(
        "tablets-trial-batches-by-heart", Goal("R2", at_least=0.3),
        partial(trial_batches, 150, 0.0, 0.0), ("overfitting",),
        partial(trial_batches, 20, 0.5, 0.1),
    ),
    Case(
        "blister-digits-unfrozen-but-not-optimized", Goal("accuracy", at_least=0.9),
        partial(blister_digits, True), ("frozen_parameter",), partial(blister_digits, False),
    ),
    Case(
        "chromatograms-own-convolutions-of-randn", Goal("accuracy", at_least=0.9),
        partial(chromatograms, False), ("poor_initialization",),
        partial(chromatograms, True),
    ),
)  # fmt: skip
