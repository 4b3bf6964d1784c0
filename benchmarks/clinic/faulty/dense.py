"""Dense classifiers whose gradients, units or weights are at fault."""

from functools import partial
from typing import Any

import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders
from modules import ADAM, BinaryModel, LitClassifier, Optimizer, adam, mlp, reset, sgd
from scores import accuracy, binary_accuracy
from torch import Tensor, nn

KAIMING = partial(nn.init.kaiming_uniform_, nonlinearity="relu")


def circle_of_eight_layers(activation: Any = nn.Sigmoid, norm: Any = None) -> Program:
    """Published with AUTOTRAINER: probabilities, and a cross-entropy of probabilities."""
    data = samples.circle()
    network = reset(mlp([2, *[5] * 8, 1], activation, norm=norm), KAIMING)
    model = BinaryModel(nn.Sequential(network, nn.Sigmoid()), ADAM, nn.BCELoss())
    score = partial(binary_accuracy, model, data, 0.5)
    return Program(model, *loaders(data, 128), 200, score, {"check_val_every_n_epoch": 10})


def digit_classifier(
    network: nn.Module, optimizer: Optimizer = ADAM, batch_size: int = 32, epochs: int = 8,
    **trainer: Any,
) -> Program:  # fmt: skip
    data = samples.digits()
    model = LitClassifier(network, optimizer)
    score = partial(accuracy, model, data)
    return Program(model, *loaders(data, batch_size), epochs, score, trainer)


def ten_sigmoid_layers() -> Program:
    return digit_classifier(mlp([64, *[64] * 10, 10], nn.Sigmoid), sgd(0.02, 0.9), epochs=8)


def ten_relu_layers() -> Program:
    network = reset(mlp([64, *[64] * 10, 10]), KAIMING)
    return digit_classifier(network, sgd(0.02, 0.9), epochs=8)


def small_tanh_weights(deviation: float | None = 0.02) -> Program:
    network = mlp([64, *[48] * 12, 10], nn.Tanh)
    weight = partial(nn.init.normal_, std=deviation) if deviation else nn.init.orthogonal_
    return digit_classifier(reset(network, weight), sgd(0.02, 0.9), epochs=10)


def thirty_four_relu_layers() -> Program:
    """Published with AUTOTRAINER on MNIST."""
    network = reset(mlp([64, *[128] * 34, 10]), nn.init.xavier_uniform_)
    return digit_classifier(network, epochs=6)


class Residual(nn.Module):
    """A layer beside which its input passes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.fc(self.norm(x)))


def thirty_four_residual_layers() -> Program:
    blocks = [Residual(128) for _ in range(33)]
    network = nn.Sequential(nn.Linear(64, 128), *blocks, nn.LayerNorm(128), nn.Linear(128, 10))
    return digit_classifier(network, epochs=6)


def negative_biases(bias: float = -6.0) -> Program:
    network = mlp([64, 128, 128, 10])
    nn.init.constant_(network[2].bias, bias)
    return digit_classifier(network)


def zero_weights(weight: Any = nn.init.zeros_) -> Program:
    return digit_classifier(reset(mlp([64, 64, 64, 10], nn.Tanh), weight), epochs=10)


def constant_weights(constant: float | None = 0.05) -> Program:
    network = mlp([64, 50, 50, 10], nn.Sigmoid)
    if constant is not None:
        reset(network, partial(nn.init.constant_, val=constant))
    return digit_classifier(network, adam(3e-3), epochs=15)


class BlobNet(LitClassifier):
    """Four layers of fifty and an output that an activation follows."""

    def __init__(self, output: nn.Module, optimizer: Optimizer) -> None:
        body = reset(mlp([2, *[50] * 4, 3]), KAIMING)
        super().__init__(nn.Sequential(body, output), optimizer)


class PlainCircle(BinaryModel):
    """Three layers, whose author may have forgotten what comes between them."""

    def __init__(self, activate: bool) -> None:
        super().__init__(nn.Identity(), adam(0.01))
        self.fc1, self.fc2, self.fc3 = nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 1)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        if self.activate:
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x))))).squeeze(-1)
        return self.fc3(self.fc2(self.fc1(x))).squeeze(-1)


def linear_circle(activate: bool = False) -> Program:
    data = samples.clear_circle()
    model = PlainCircle(activate)
    return Program(model, *loaders(data, 32), 12, partial(binary_accuracy, model, data))


DIGITS = Goal("accuracy", at_least=0.88)
CASES = (
    Case(
        "circle-eight-sigmoid-layers", Goal("accuracy", at_least=0.65),
        circle_of_eight_layers, ("vanishing_gradient",),
        partial(circle_of_eight_layers, nn.Tanh, nn.BatchNorm1d),
    ),
    Case(
        "digits-ten-sigmoid-layers", DIGITS, ten_sigmoid_layers, ("vanishing_gradient",),
        ten_relu_layers,
    ),
    Case(
        "digits-small-tanh-weights", DIGITS, small_tanh_weights,
        ("vanishing_gradient", "poor_initialization"), partial(small_tanh_weights, None),
    ),
    Case(
        "digits-thirty-four-relu-layers", DIGITS, thirty_four_relu_layers,
        ("dead_relu", "vanishing_gradient", "poor_initialization", "dormant_units"),
        thirty_four_residual_layers,
    ),
    Case(
        "digits-negative-biases", DIGITS, negative_biases,
        ("dead_relu", "poor_initialization", "dormant_units"),
        partial(negative_biases, 0.0), fast=True,
    ),
    Case(
        "digits-zero-weights", DIGITS, zero_weights, ("symmetric_weights", "poor_initialization"),
        partial(zero_weights, nn.init.xavier_uniform_), fast=True,
    ),
    Case(
        "digits-constant-weights", DIGITS, constant_weights,
        ("symmetric_weights", "poor_initialization"), partial(constant_weights, None),
    ),
    Case(
        "circle-without-activations", Goal("accuracy", at_least=0.95), linear_circle,
        ("linear_network",), partial(linear_circle, True), fast=True,
    ),
)  # fmt: skip
