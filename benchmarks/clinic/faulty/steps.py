"""Steps that are too long or too short, in trainings that look ordinary."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import competitions, samples, surveys
from data_sets.samples import scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import mlp, sgd
from programs import classification, regression, two_classes
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Skip(nn.Module):
    """Two layers, and a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.b(F.silu(self.a(x)))
        return found


def skips(rate: float = 0.1) -> Program:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(18, 64), *[Skip(64) for _ in range(4)], nn.Linear(64, 3)
    )
    optimizer = partial(torch.optim.AdamW, lr=rate, weight_decay=0.01)
    return classification(surveys.boards(), network, optimizer, batch_size=64, epochs=14)


def warmed_too_far(peak: float = 8.0) -> Program:
    """Norms forgive large rates, and one cycle asks for them; not for this one."""

    def cycle(optimizer: torch.optim.Optimizer) -> Any:
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=300)

    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    found = surveys.pictures()
    return classification(
        found.labelled(found.shape), network, sgd(0.1, 0.9), epochs=12, scheduler=cycle
    )


def as_in_keras(rate: float = 1e-3) -> Program:
    """Keras' Adadelta has a rate of 0.001, its paper's of 1."""
    network = mlp([64, 128, 64, 10], nn.ELU)
    return classification(
        samples.digits(), network, partial(torch.optim.Adadelta, lr=rate), batch_size=64, epochs=20
    )


def careful(rate: float = 1e-5) -> Program:
    data = scaled_targets(standardized(surveys.houses()))
    network = mlp([8, 64, 64, 1], nn.GELU)
    return regression(data, network, sgd(rate, 0.9), batch_size=32, epochs=20)


class Rentals(LightningModule):
    """Its rate is its sixth decimal, from a fine-tuning that it was copied from."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.net = nn.Sequential(
            nn.BatchNorm1d(8), nn.Linear(8, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(),
            nn.Linear(96, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.squeeze(-1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch["x"]), batch["y"])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.rate)


def rentals(rate: float = 3e-6) -> Program:
    raw = competitions.bikes()
    data = scaled_targets(raw._replace(y=raw.y.float().log1p(), y_test=raw.y_test.float().log1p()))
    rows = [{"x": x, "y": y} for x, y in zip(data.x, data.y, strict=True)]
    module = Rentals(rate)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, DataLoader(rows, 64, shuffle=True), None, 20, score)  # type: ignore


def swinging(momentum: float = 0.99, rate: float = 0.04) -> Program:
    network = mlp([64, 64, 64, 10])
    return classification(samples.digits(), network, sgd(rate, momentum), batch_size=16, epochs=6)


def by_twos(rate: float = 0.1, batch_size: int = 2, epochs: int = 4) -> Program:
    network = mlp([2, 50, 50, 1], nn.LeakyReLU)
    return two_classes(
        samples.moons(), network, sgd(rate, 0.9), batch_size=batch_size, epochs=epochs
    )


SHAPES = Goal("accuracy", at_least=0.8)
DIGITS = Goal("accuracy", at_least=0.92)
EXPLAINED = Goal("R2", at_least=0.8)
CASES = (
    Case(
        "boards-skips-large-steps", Goal("accuracy", at_least=0.76), skips,
        ("learning_rate_too_high", "unstable_loss"), partial(skips, 2e-3),
    ),
    Case(
        "shapes-one-cycle-of-eight", SHAPES, warmed_too_far,
        ("learning_rate_too_high", "unstable_loss", "exploding_gradient"),
        partial(warmed_too_far, 0.1),
    ),
    Case(
        "digits-adadelta-as-in-keras", DIGITS, as_in_keras, ("learning_rate_too_low",),
        partial(as_in_keras, 1.0),
    ),
    Case(
        "houses-careful-steps", EXPLAINED, careful, ("learning_rate_too_low",),
        partial(careful, 1e-2),
    ),
    Case(
        "bikes-rate-of-fine-tuning", EXPLAINED, rentals, ("learning_rate_too_low",),
        partial(rentals, 3e-3),
    ),
    Case(
        "digits-momentum-of-0.99", DIGITS, swinging,
        ("learning_rate_too_high", "unstable_loss", "dead_relu"), partial(swinging, 0.9, 0.02),
    ),
    Case(
        "moons-two-by-two", Goal("accuracy", at_least=0.95), by_twos,
        ("unstable_loss", "learning_rate_too_high"), partial(by_twos, 0.1, 32, 12),
    ),
)  # fmt: skip
