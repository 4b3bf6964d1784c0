"""What goes right in courses, some of it in an unusual way."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders, scaled_targets, standardized
from modules import LitClassifier, adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, cross_entropy
from torch import Tensor, nn


class Net(nn.Module):
    """Two convolutions, two dropouts, logarithms of probabilities: the net of many courses."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = self.dropout1(F.max_pool2d(x, 2)).flatten(1)
        x = self.dropout2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


class Steps(LitClassifier):
    """Lowers its rate after every epoch."""

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adadelta(self.parameters(), lr=1.0)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.8)]


def first_example() -> Program:
    """Adadelta, whose usual rate is 1."""
    data = samples.digit_images()
    data = data.with_inputs((data.x - 0.3) / 0.38, (data.x_test - 0.3) / 0.38)
    module = Steps(Net(), criterion=F.nll_loss)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


def normalized_first() -> Program:
    """Raw columns, of which some are a thousand times others; the first layer scales them."""
    network = nn.Sequential(nn.BatchNorm1d(13), mlp([13, 24, 3]))
    return classification(
        samples.wine(), network, sgd(0.004, 0.9), batch_size=8, epochs=14, score=cross_entropy
    )


def logarithms_twice() -> Program:
    """A LogSoftmax before a cross-entropy, which it does not change."""
    network = nn.Sequential(mlp([64, 96, 48, 10], nn.GELU), nn.LogSoftmax(dim=-1))
    return classification(samples.digits(), network, adam(1e-3), epochs=8, score=cross_entropy)


def summed() -> Program:
    """A sum over the batch, and a rate that is as much smaller."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(0.1), nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.LeakyReLU(0.1), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
    return classification(
        samples.digit_images(), network, sgd(0.1 / 64, 0.9), batch_size=64, epochs=20,
        criterion=nn.CrossEntropyLoss(reduction="sum"),
    )  # fmt: skip


class RandomFeatures(nn.Module):
    """Cosines of random directions that stay as they were drawn, and one layer that learns."""

    def __init__(self, inputs: int, count: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("directions", 0.4 * torch.randn(inputs, count))
        self.register_buffer("phases", 6.283 * torch.rand(count))
        self.out, self.scale = nn.Linear(count, outputs), (2 / count) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.scale * torch.cos(x @ self.directions + self.phases))
        return found


def random_features() -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    return regression(data, RandomFeatures(10, 400, 1), adam(2e-2, weight_decay=1e-4), epochs=25)


DIGITS = Goal("accuracy", at_least=0.92)
CASES = (
    Case("digit-images-first-example", DIGITS, first_example),
    Case("wine-raw-normalized-first", Goal("cross-entropy", at_most=0.3), normalized_first),
    Case("digits-logarithms-twice", Goal("cross-entropy", at_most=0.3), logarithms_twice),
    Case("digit-images-loss-of-sums", DIGITS, summed),
    Case("friedman-random-cosines", Goal("R2", at_least=0.85), random_features),
)
