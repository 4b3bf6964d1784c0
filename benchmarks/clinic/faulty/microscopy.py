"""Faults of programs on smears, radiographs, tiles and bars."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import wards
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import adam
from programs import classification
from scores import accuracy, balanced_accuracy, cross_entropy, outputs
from torch import Tensor, nn


def film(data: Samples, lr: float, divisor: float) -> Program:
    """Sixteen bits a pixel; who ported it divided by nothing."""
    data = data.with_inputs(data.x / divisor - 0.45 * (divisor > 1), data.x_test / divisor
                            - 0.45 * (divisor > 1))  # fmt: skip
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3),
        nn.Flatten(), nn.Linear(216, 32), nn.ReLU(), nn.Linear(32, 2),
    )  # fmt: skip
    return classification(data, network, adam(lr), batch_size=32, epochs=12)


class Slides(LightningModule):
    """A usual net on smears; what it is trained on is augmented or not."""

    def __init__(self, lr: float, augment: bool = False, decay: float = 0.0) -> None:
        super().__init__()
        self.lr, self.augment, self.decay = lr, augment, decay
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(512, 64), nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1((x - 0.7) * 4)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        logits: Tensor = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        if self.augment:
            x = torch.rot90(x, int(torch.randint(4, ())), (2, 3))
            x = x.flip(2) if torch.rand(()) < 0.5 else x
            x = x.roll(tuple(torch.randint(-1, 2, (2,)).tolist()), (2, 3))
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.decay)


def by_heart(cured: bool) -> Program:
    """Sixty noisy smears for sixty passes."""
    data = wards.smears(noise=0.2).first(910 if cured else 60)
    module = Slides(1e-3 if cured else 2e-3, augment=cured, decay=0.05 if cured else 0.0)
    epochs = 16 if cured else 60
    return Program(
        module, *loaders(data, 32 if cured else 16), epochs, partial(cross_entropy, module, data)
    )


def hasty(lr: float) -> Program:
    data = wards.smears()
    module = Slides(lr)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


def mostly(weighted: bool) -> Program:
    """Ninety-four in a hundred are of the first kind."""
    data = wards.smears((0.94, 0.02, 0.02, 0.02), 2600, noise=0.15)
    count = data.y.bincount(minlength=4).float()
    weight = (len(data.y) / (4 * count)).clamp(max=20) if weighted else None
    network = nn.Sequential(
        nn.Conv2d(3, 12, 3, 2, 1), nn.ELU(), nn.Conv2d(12, 24, 3, 2, 1), nn.ELU(), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(384, 4),
    )  # fmt: skip
    return classification(
        data, network, adam(1e-3), batch_size=64, epochs=12, score=balanced_accuracy,
        criterion=nn.CrossEntropyLoss(weight),
    )  # fmt: skip


class Bearing(LightningModule):
    """The arc between two directions, by the inverse of the cosine."""

    def __init__(self, margin: float | None) -> None:
        super().__init__()
        self.margin = margin
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 5, 2, 2), nn.SiLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.SiLU(),
            nn.Flatten(), nn.Linear(256, 32), nn.SiLU(), nn.Linear(32, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.net(x), dim=-1)

    def arc(self, batch: list[Tensor]) -> Tensor:
        cosine = (self(batch[0]) * batch[1]).sum(-1)
        if self.margin is not None:
            cosine = cosine.clamp(-1 + self.margin, 1 - self.margin)
        return torch.acos(cosine).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.arc(batch)
        self.log("geodesic", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("geodesic_val", self.arc(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def bearing(margin: float | None) -> Program:
    data = wards.bars()
    module = Bearing(margin)

    def score() -> float:
        return (outputs(module, data.x_test) * data.y_test).sum(1).mean().item()

    return Program(module, *loaders(data, 32), 12, score)


FILM = wards.radiographs()
CASES = (
    Case(
        "radiographs-of-sixteen-bits", Goal("accuracy", at_least=0.95),
        partial(film, FILM, 1e-3, 1.0), ("unnormalized_input",),
        partial(film, FILM, 1e-3, 65535.0),
    ),
    Case(
        "smears-sixty-by-heart", Goal("cross-entropy", at_most=0.6), partial(by_heart, False),
        ("overfitting",), partial(by_heart, True),
    ),
    Case(
        "smears-adam-of-a-twentieth", Goal("accuracy", at_least=0.8), partial(hasty, 0.05),
        ("learning_rate_too_high", "dead_relu"), partial(hasty, 1e-3),
    ),
    Case(
        "smears-mostly-of-one-kind", Goal("balanced accuracy", at_least=0.6),
        partial(mostly, False), ("class_imbalance",), partial(mostly, True),
    ),
    Case(
        "bars-arc-of-cosines-of-one", Goal("mean cosine", at_least=0.95), partial(bearing, None),
        ("non_finite",), partial(bearing, 1e-6),
    ),
)  # fmt: skip
