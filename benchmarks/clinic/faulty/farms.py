"""What goes wrong on farms: rates, scales, weights and logarithms of nought."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import farms
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from healthy.farms import coloured, standing_motion
from lightning.pytorch import LightningModule
from modules import Optimizer, adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, outputs
from torch import Tensor, nn


def bean_sorter(prepare: Callable[[Samples], Samples]) -> Program:
    """The table of the sorting machine: pixels beside ratios."""
    network = mlp([11, 64, 32, 7])
    return classification(prepare(farms.beans()), network, adam(1e-3), epochs=12)


def seven_layers(activation: Callable[[], nn.Module], lr: float) -> Program:
    network = mlp([11, *[48] * 7, 7], activation)
    return classification(
        standardized(farms.beans()), network, sgd(lr, 0.9), batch_size=32, epochs=14
    )


class LeafViewer(LightningModule):
    """Four convolutions without norms."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.conv3, self.conv4 = nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(32 * 16, 64), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.elu(self.conv2(F.elu(self.conv1(x)))), 2)
        x = F.max_pool2d(F.elu(self.conv4(F.elu(self.conv3(x)))), 2)
        logits: Tensor = self.fc2(F.elu(self.fc1(x.flatten(1))))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def viewer(lr: float) -> Program:
    data, module = coloured(farms.leaves()[0]), LeafViewer(lr)
    return Program(module, *loaders(data, 32), 7, partial(accuracy, module, data))


class OwnLinear(nn.Module):
    """A matrix and a vector, as the first chapter of a course writes them."""

    def __init__(self, before: int, after: int, scaled: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(before, after) * (before**-0.5 if scaled else 1.0))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


def own_layers(scaled: bool) -> Program:
    sizes = [11, 96, 96, 96, 96, 7]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [OwnLinear(before, after, scaled), nn.GELU()]
    network = nn.Sequential(*layers[:-1])
    return classification(standardized(farms.beans()), network, adam(1e-3), batch_size=64, epochs=8)


def narrow(lr: float) -> Program:
    """Eight narrow layers; the rate was found on one wide one."""
    network = mlp([11, *[24] * 8, 7])
    return classification(standardized(farms.beans()), network, adam(lr), epochs=10)


def convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(3, 32, 5, padding=2), nn.BatchNorm1d(32), nn.GELU(), nn.AvgPool1d(2),
        nn.Conv1d(32, 48, 5, padding=2), nn.BatchNorm1d(48), nn.GELU(),
        nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(48, 5),
    )  # fmt: skip


def slow_motion(lr: float) -> Program:
    """Convolutions over time under the rate that a large language model was tuned with."""
    data = standing_motion()
    data = data.with_inputs(data.x.transpose(1, 2), data.x_test.transpose(1, 2))
    optimizer = partial(torch.optim.AdamW, lr=lr)
    return classification(data, convolutions(), optimizer, epochs=8)


class ByWindow(nn.Module):
    """Each direction of each window z-scored by itself; its mean and deviation go beside."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.waves, self.levels = convolutions(), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = x.mean(1, keepdim=True), x.std(1, keepdim=True)
        waves = (x - mean) / (deviation + self.eps)
        levels = torch.cat([mean, deviation], 2).flatten(1)
        logits: Tensor = self.waves(waves.transpose(1, 2)) + self.levels(levels)
        return logits


def stuck(eps: float) -> Program:
    """The third axis of every fortieth collar hangs; those that are measured are sound."""
    data = standing_motion()
    x = data.x.clone()
    x[::40, :, 2] = 0.0
    return classification(data.with_inputs(x, data.x_test), ByWindow(eps), adam(2e-3), epochs=8)


class Rolled(LightningModule):
    """Milk from day to day by a state to which each day adds; the last state tells the week."""

    def __init__(self, cell: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(32, 32), nn.Linear(1, 32)
        self.week = nn.Linear(32, 7)
        self.cell = cell

    def forward(self, past: Tensor) -> Tensor:
        h = past.new_zeros(len(past), 32)
        for day in past.split(1, 1):
            h = self.cell(h, self.inner(h) + self.outer(day))
        week: Tensor = self.week(h)
        return week

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def added(h: Tensor, news: Tensor) -> Tensor:
    return h + news.relu()


def bounded(h: Tensor, news: Tensor) -> Tensor:
    return 0.5 * h + 0.5 * news.tanh()


def rolled(cell: Callable[[Tensor, Tensor], Tensor]) -> Program:
    data, module = farms.milk(), Rolled(cell)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, *loaders(data, 32), 12, score)


def jumpy(lr: float) -> Program:
    network = mlp([11, 64, 64, 7], nn.Tanh)
    return classification(
        standardized(farms.beans()), network, sgd(lr, 0.9), batch_size=4, epochs=3
    )


def decayed(optimizer: Optimizer) -> Program:
    data = scaled_targets(farms.harvests())
    return regression(data, mlp([8, 96, 96, 1], nn.SiLU), optimizer, epochs=10)


SORTED = Goal("accuracy", at_least=0.85)
CASES = (
    Case(
        "beans-pixels-beside-ratios", SORTED, lambda: bean_sorter(lambda data: data),
        ("unnormalized_input",), lambda: bean_sorter(standardized),
    ),
    Case(
        "beans-seven-sigmoid-layers-with-momentum", SORTED, lambda: seven_layers(nn.Sigmoid, 0.05),
        ("vanishing_gradient",), lambda: seven_layers(nn.ReLU, 0.02),
    ),
    Case(
        "leaves-adam-of-three-hundredths", SORTED, lambda: viewer(0.03),
        ("learning_rate_too_high", "unstable_loss"), lambda: viewer(0.001),
    ),
    Case(
        "collars-third-axis-hangs", SORTED, lambda: stuck(0.0),
        ("non_finite",), lambda: stuck(1e-4),
    ),
    Case(
        "beans-own-layers-of-randn", Goal("accuracy", at_least=0.92), lambda: own_layers(False),
        ("poor_initialization",), lambda: own_layers(True),
    ),
    Case(
        "collars-rate-of-a-language-model", SORTED, lambda: slow_motion(1e-5),
        ("learning_rate_too_low",), lambda: slow_motion(2e-3),
    ),
    Case(
        "milk-states-that-only-add", Goal("r2", at_least=0.7), lambda: rolled(added),
        ("exploding_gradient", "poor_initialization", "unstable_loss"), lambda: rolled(bounded),
    ),
    Case(
        "beans-eight-narrow-layers-die", SORTED, lambda: narrow(0.05),
        ("dead_relu", "learning_rate_too_high"), lambda: narrow(0.003),
    ),
    Case(
        "beans-four-to-a-jump", Goal("accuracy", at_least=0.88), lambda: jumpy(0.2),
        ("unstable_loss", "learning_rate_too_high"), lambda: jumpy(0.005),
    ),
    Case(
        "harvests-l2-of-a-fifth-in-adam", Goal("r2", at_least=0.5),
        lambda: decayed(adam(2e-3, weight_decay=0.2)), ("over_regularized",),
        lambda: decayed(adam(2e-3, weight_decay=1e-5)),
    ),
)  # fmt: skip
