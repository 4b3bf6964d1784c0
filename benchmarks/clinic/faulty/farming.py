"""What went wrong on a farm: sick leaves, harvests and grounds."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import farm
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import CombinedLoader
from modules import LitClassifier, adam, mlp, reset, sgd
from programs import classification, regression
from scores import accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Prefetcher:
    """Holds a batch ready while another one is used; its labels may be those of the next."""

    def __init__(self, loader: DataLoader[Any], hasty: bool) -> None:
        self.loader, self.hasty = loader, hasty

    def __len__(self) -> int:
        return len(self.loader) - 1

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = iter(self.loader)
        images, labels = next(batches)
        for next_images, next_labels in batches:
            yield images, next_labels if self.hasty else labels
            images, labels = next_images, next_labels


def filters(activation: type[nn.Module] = nn.ReLU, width: int = 16) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
        layers += [nn.Conv2d(before, after, 3, padding=1), activation(), nn.MaxPool2d(2)]
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(8 * width, 48), activation(), nn.Linear(48, 5)
    )


def centred() -> Samples:
    data = farm.leaves()
    return data.with_inputs((data.x - 0.35) / 0.2, (data.x_test - 0.35) / 0.2)


def prefetched(hasty: bool = True) -> Program:
    data, module = centred(), LitClassifier(filters(), adam(2e-3))
    train, test = loaders(data, 35, drop_last=True)
    return Program(module, Prefetcher(train, hasty), test, 14, partial(accuracy, module, data))


def harvests(dropout: float = 0.0, decay: float = 0.0, epochs: int = 60) -> Program:
    """Fields that were measured badly, of which 400 are known."""
    data = farm.yields(noise=0.8).first(400)
    width = 64 if dropout else 256
    optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=decay)
    network = mlp((9, width, width, 1), dropout=dropout)
    return regression(data, network, optimizer, batch_size=16, epochs=epochs)


class Guessing(LightningModule):
    """Learns from labelled leaves, and from its own sure guesses at others."""

    def __init__(self, divided: bool) -> None:
        super().__init__()
        self.divided = divided
        layers: list[nn.Module] = []
        for before, after in ((3, 16), (16, 32), (32, 48)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(192, 5))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: tuple[list[Tensor], list[Tensor]], batch_idx: int) -> Tensor:
        (x, y), (others,) = batch
        supervised = F.cross_entropy(self(x), y)
        others = others.float() / 255 if self.divided else others.float()
        logits = self(others)
        sure, guess = logits.detach().softmax(1).max(1)
        guessed = (F.cross_entropy(logits, guess, reduction="none") * (sure > 0.95)).mean()
        self.log_dict({"train/sup": supervised, "train/pseudo": guessed})
        return supervised + 0.5 * guessed

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def guessing(divided: bool = False) -> Program:
    data, module = farm.leaves(), Guessing(divided)
    known = data.first(500)
    train, test = loaders(known, 20, drop_last=True)
    others = TensorDataset((255 * data.x[500:]).byte())
    both = CombinedLoader((train, DataLoader(others, 20, shuffle=True)), "min_size")
    return Program(module, both, test, 9, partial(accuracy, module, data))


def averaging(by_hand: bool = True) -> Program:
    """Every hidden unit begins as the mean of its inputs."""
    network = mlp((9, 48, 48, 1), nn.Tanh)
    if by_hand:
        for layer in list(network)[::2]:
            nn.init.constant_(layer.weight, 1 / layer.in_features)
            nn.init.zeros_(layer.bias)
    return regression(farm.yields(), network, adam(3e-3), batch_size=50, epochs=12)


def crops(activation: type[nn.Module] | None = None) -> Program:
    network = mlp((8, 128, 128, 64, 64, 6), activation)
    return classification(farm.soils(), network, adam(1e-3), batch_size=40, epochs=12)


def squashed(deviation: float | None = 1.0) -> Program:
    """Tanh behind filters that are drawn from the standard normal distribution."""
    network = filters(nn.Tanh)
    if deviation is not None:
        reset(network, partial(nn.init.normal_, std=deviation))
    return classification(centred(), network, sgd(0.02, 0.9), batch_size=35, epochs=12)


def hurried(rate: float = 0.1) -> Program:
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(4, after), nn.SiLU()]
        layers += [nn.MaxPool2d(2)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 48), nn.SiLU(), nn.Linear(48, 5))
    optimizer = partial(torch.optim.AdamW, lr=rate)
    return classification(farm.leaves(), network, optimizer, batch_size=28, epochs=8)


LEAVES = Goal("accuracy", at_least=0.8)
CASES = (
    Case(
        "leaves-prefetched-with-later-labels", LEAVES, prefetched,
        ("inconsistent_labels",), partial(prefetched, False),
    ),
    Case(
        "yields-of-bad-scales-by-heart", Goal("R2", at_least=0.35), harvests,
        ("overfitting",), partial(harvests, 0.2, 0.1, 15),
    ),
    Case(
        "leaves-guessed-at-as-bytes", LEAVES, guessing,
        ("train_eval_mismatch",), partial(guessing, True),
    ),
    Case(
        "yields-units-begin-as-means", Goal("R2", at_least=0.65), averaging,
        ("symmetric_weights", "poor_initialization"), partial(averaging, False),
    ),
    Case(
        "soils-four-layers-in-a-row", Goal("accuracy", at_least=0.85), crops,
        ("linear_network",), partial(crops, nn.ReLU),
    ),
    Case(
        "leaves-tanh-of-standard-normal-filters", LEAVES, squashed,
        ("saturated_activation", "poor_initialization"), partial(squashed, None),
    ),
    Case(
        "leaves-adamw-at-a-tenth", LEAVES, hurried,
        ("learning_rate_too_high",), partial(hurried, 0.003),
    ),
)  # fmt: skip
