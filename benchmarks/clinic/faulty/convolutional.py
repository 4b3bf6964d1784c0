"""Convolutional networks on digits: AUTOTRAINER's published family, and others."""

from functools import partial

import torch
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders
from modules import LitClassifier, Optimizer, reset, sgd
from scores import accuracy
from torch import nn


def lenet(dense: int = 512, norm: bool = False) -> nn.Sequential:
    """Two convolutions with pooling and a dense layer, the shape of the published programs."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16) if norm else nn.Identity(), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, dense), nn.ReLU(), nn.Linear(dense, 10),
    )  # fmt: skip


KAIMING = partial(nn.init.kaiming_normal_, nonlinearity="relu")


def published(
    optimizer: Optimizer, data: Samples | None = None, dense: int = 512, epochs: int = 8
) -> Program:
    data = data or samples.digit_images()
    model = LitClassifier(reset(lenet(dense), KAIMING), optimizer)
    return Program(model, *loaders(data, 32), epochs, partial(accuracy, model, data))


def bytes_as_inputs() -> Program:
    data = samples.digit_images()
    return published(sgd(0.1), data.with_inputs(255 * data.x, 255 * data.x_test))


def shuffled_labels() -> Program:
    data = samples.digit_images()
    order = torch.randperm(len(data.y), generator=torch.Generator().manual_seed(1))
    return published(sgd(0.1), data._replace(y=data.y[order]))


DIGITS = Goal("accuracy", at_least=0.86)
HEALTHY = partial(published, sgd(0.1))
CASES = (
    Case(
        "digit-images-large-steps", DIGITS, partial(published, sgd(0.8), None, 1024),
        ("learning_rate_too_high",), partial(published, sgd(0.05), None, 1024),
    ),
    Case(
        "digit-images-small-steps", DIGITS, partial(published, sgd(0.0005)),
        ("learning_rate_too_low",), HEALTHY,
    ),
    Case(
        "digit-images-of-bytes", DIGITS, bytes_as_inputs,
        ("unnormalized_input", "learning_rate_too_high", "dead_relu"), HEALTHY,
    ),
    Case(
        "digit-images-shuffled-labels", DIGITS, shuffled_labels,
        ("inconsistent_labels", "not_learning", "overfitting"), HEALTHY,
    ),
)  # fmt: skip
