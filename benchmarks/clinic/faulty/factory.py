"""What went wrong in a factory: eyes on parts and plates, ears on motors, tables of castings."""

from copy import deepcopy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import factory
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassAccuracy
from torchvision.ops import box_convert, box_iou


def heard(network: nn.Module, optimizer: Any, epochs: int = 6, **options: Any) -> Program:
    data = factory.centred(factory.spectrograms(factory.motors()))
    return classification(data, network, optimizer, epochs=epochs, **options)


def ears(dropout: float = 0.0) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Dropout2d(dropout), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Dropout2d(dropout), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Dropout2d(dropout), nn.MaxPool2d(4),
        nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 5),
    )  # fmt: skip


def filtered(*activation: type[nn.Module]) -> Program:
    """Three filters of the waves and their mean, with nothing in between but norms."""
    layers: list[nn.Module] = []
    for before, after, width, stride in ((1, 24, 32, 4), (24, 24, 9, 4), (24, 48, 3, 2)):
        layers += [nn.Conv1d(before, after, width, stride), nn.BatchNorm1d(after)]
        layers += [kind() for kind in activation]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, 5))
    return classification(factory.motors(), network, adam(3e-3), epochs=10)


class Averaged(LightningModule):
    """Keeps a moving average of itself, and asks the optimizer for one of the two."""

    def __init__(self, asked_for_average: bool) -> None:
        super().__init__()
        self.asked_for_average = asked_for_average
        self.model = ears()
        self.model_ema = deepcopy(self.model)
        self.acc = MulticlassAccuracy(5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = (self.model if self.training else self.model_ema)(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return {"loss": loss}

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        both = zip(self.model_ema.parameters(), self.model.parameters(), strict=True)
        for slow, fast in both:
            slow.lerp_(fast, 0.05)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.acc(self(batch[0]), batch[1])
        self.log("val/acc", self.acc)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        model = self.model_ema if self.asked_for_average else self.model
        return torch.optim.Adam(model.parameters(), lr=1e-3)


def averaged(asked_for_average: bool = True) -> Program:
    data = factory.centred(factory.spectrograms(factory.motors()))
    module = Averaged(asked_for_average)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class Shuffled(Dataset[tuple[Tensor, Tensor]]):
    """A subset of the pictures by its indices, which the labels forget."""

    def __init__(self, data: Samples, forgotten: bool) -> None:
        self.data, self.forgotten = data, forgotten
        self.indices = torch.randperm(len(data.y))[:1200].tolist()

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        index = self.indices[i]
        return self.data.x[index], self.data.y[i if self.forgotten else index]


def eyes(**norm: Any) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 48)):
        layers += [nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after, **norm)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(192, 5))


def subset(forgotten: bool = True) -> Program:
    data = factory.centred(factory.parts())
    module = LitClassifier(eyes(), adam(2e-3))
    train = DataLoader(Shuffled(data, forgotten), 40, shuffle=True)
    return Program(module, train, loaders(data, 40)[1], 8, partial(accuracy, module, data))


def seen(network: nn.Module, optimizer: Any, epochs: int = 6) -> Program:
    data = factory.centred(factory.parts())
    return classification(data, network, optimizer, batch_size=40, epochs=epochs)


def deep(normed: bool = False) -> Program:
    """Eighteen plain convolutions, as they are drawn by default."""
    layers: list[nn.Module] = [nn.Conv2d(1, 12, 3, 2, 1), nn.ReLU()]
    for _ in range(17):
        layers += [nn.Conv2d(12, 12, 3, padding=1)]
        layers += [nn.BatchNorm2d(12), nn.ReLU()] if normed else [nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 5))
    return seen(network, sgd(0.05, 0.9), 8)


class Detector(LightningModule):
    """One box: roots of its extent, as in the first YOLO, or its shares by sigmoids."""

    def __init__(self, roots: bool, bounded: bool) -> None:
        super().__init__()
        self.roots, self.bounded = roots, bounded
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.LeakyReLU(0.1),
            nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.LeakyReLU(0.1), nn.Flatten(),
            nn.Linear(1152, 64), nn.LeakyReLU(0.1), nn.Linear(64, 4),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        box: Tensor = self.net(x)
        return box.sigmoid() if self.bounded else box

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        found, wanted = self(batch[0]), batch[1]
        if self.roots:
            found = torch.cat([found[:, :2], found[:, 2:].sqrt()], 1)
            wanted = torch.cat([wanted[:, :2], wanted[:, 2:].sqrt()], 1)
        loss = F.smooth_l1_loss(found, wanted)
        self.log("loss_box", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def detector(roots: bool = False, bounded: bool = True, pixels: bool = False) -> Program:
    data, scale = factory.belts(), 24 if pixels else 1
    module = Detector(roots, bounded)

    def overlap() -> float:
        found, wanted = (
            box_convert(box, "cxcywh", "xyxy")
            for box in (outputs(module, data.x_test) / scale, data.y_test)
        )
        return box_iou(found, wanted).diagonal().mean().item()

    train, _ = loaders(data._replace(y=data.y * scale), 32)
    return Program(module, train, None, 10, overlap)


def strength(scaled: bool = False) -> Program:
    data = standardized(factory.castings()) if scaled else factory.castings()
    return regression(data, mlp((8, 128, 128, 1)), adam(1e-3), batch_size=64, epochs=12)


MOTORS, PARTS = Goal("accuracy", at_least=0.9), Goal("accuracy", at_least=0.9)
BELTS = Goal("intersection over union", at_least=0.6)
CASES = (
    Case(
        "motors-waves-filtered-alone", MOTORS, filtered,
        ("linear_network",), partial(filtered, nn.ReLU),
    ),
    Case(
        "motors-average-given-to-adam", MOTORS, averaged,
        ("frozen_parameter", "not_learning"), partial(averaged, False),
    ),
    Case(
        "motors-channels-mostly-dropped", MOTORS,
        lambda: heard(ears(0.6), adam(1e-3), 10),
        ("over_regularized",), lambda: heard(ears(0.1), adam(1e-3), 10),
    ),
    Case(
        "parts-subset-forgotten-by-labels", PARTS, subset,
        ("inconsistent_labels",), partial(subset, False),
    ),
    Case(
        "parts-statistics-as-in-tf-slim", PARTS,
        lambda: seen(eyes(momentum=0.0003), adam(2e-3)),
        ("train_eval_mismatch",), lambda: seen(eyes(), adam(2e-3)),
    ),
    Case(
        "parts-eighteen-plain-convolutions", PARTS, deep,
        ("vanishing_gradient", "poor_initialization"), partial(deep, True),
    ),
    Case(
        "parts-rmsprop-of-a-millionth", PARTS,
        lambda: seen(eyes(), partial(torch.optim.RMSprop, lr=2e-6)),
        ("learning_rate_too_low",), lambda: seen(eyes(), partial(torch.optim.RMSprop, lr=1e-3)),
    ),
    Case(
        "belts-roots-of-negative-extents", BELTS, partial(detector, True, False),
        ("non_finite",), partial(detector, True),
    ),
    Case(
        "belts-pixels-behind-sigmoids", BELTS, partial(detector, pixels=True),
        ("output_loss_mismatch",), detector,
    ),
    Case(
        "castings-in-pascals-and-kelvins", Goal("R2", at_least=0.6), strength,
        ("unnormalized_input",), partial(strength, True),
    ),
)  # fmt: skip
