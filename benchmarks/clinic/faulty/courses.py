"""What goes wrong in courses, and in questions to forums."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import RegressionTask, adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, r2
from sklearn.datasets import make_gaussian_quantiles
from torch import Tensor, nn


class OwnLoop(LightningModule):
    """The loop of a course in a training step; the gradients may be cleared too late."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model, self.late = mlp([64, 64, 32, 10]), late
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        if not self.late:
            optimizer.zero_grad()
        loss = self.criterion(self(batch[0]), batch[1])
        self.manual_backward(loss)
        if self.late:
            optimizer.zero_grad()
        optimizer.step()
        self.log("train_loss", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def own_loop(late: bool = True) -> Program:
    module = OwnLoop(late)
    train, _ = loaders(samples.digits(), 32)
    return Program(module, train, None, 8, partial(accuracy, module, samples.digits()))


def small_conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def centred(mean: float = 120.0) -> Program:
    """The mean of pictures in bytes taken from pictures that a transform had divided by 255."""
    data = samples.digit_images()
    data = data.with_inputs(data.x - mean, data.x_test - mean)
    return classification(data, small_conv_net(), sgd(0.01, 0.9), epochs=10)


def summed(reduction: str = "sum") -> Program:
    criterion = nn.CrossEntropyLoss(reduction=reduction)
    return classification(
        samples.digit_images(), small_conv_net(), sgd(0.05, 0.9), criterion=criterion, epochs=8
    )


def without_activations(activation: Callable[[], nn.Module] = nn.Dropout) -> Program:
    """Dropout stands where an activation should."""
    x, y = make_gaussian_quantiles(n_samples=1500, n_features=4, n_classes=3, random_state=0)
    data = split(x, y)
    network = nn.Sequential(
        nn.Linear(4, 64), activation(), nn.Linear(64, 64), activation(), nn.Linear(64, 3)
    )
    return classification(data, network, adam(3e-3), epochs=15)


class EveryLayer(nn.Module):
    """Goes through its layers in a loop, which may not know which is the last."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        sizes = [64, 64, 48, 32, 10]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        for k, layer in enumerate(self.layers):
            x = layer(x)
            if self.last or k + 1 < len(self.layers):
                x = F.relu(x)
        return x


def every_layer(last: bool = True) -> Program:
    return classification(samples.digits(), EveryLayer(last), adam(2e-3), epochs=10)


class Ridge(RegressionTask):
    """Adds the squares of the weights to the loss."""

    def __init__(self, alpha: float) -> None:
        super().__init__(mlp([10, 32, 1]), adam(3e-3))
        self.alpha = alpha

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        squares = sum(p.square().sum() for p in self.backbone.parameters() if p.ndim > 1)
        loss = super().training_step(batch, batch_idx) + self.alpha * squares
        self.log("penalized", loss)
        return loss


def ridge(alpha: float = 1.0) -> Program:
    """The alpha of scikit-learn's Ridge, which stands beside a sum over all rows."""
    data = scaled_targets(standardized(samples.diabetes()))
    module = Ridge(alpha)
    return Program(module, *loaders(data, 16), 20, partial(r2, module, data))


def keras_norm(momentum: float = 0.99) -> Program:
    """Keras keeps so much of its statistics; torch replaces so much."""
    data = scaled_targets(standardized(samples.friedman()))
    network = mlp([10, 64, 32, 1], norm=partial(nn.BatchNorm1d, momentum=momentum))
    return regression(data, network, adam(1e-3), batch_size=8, epochs=8)


class Growing(nn.Module):
    """Makes its middle layer where it uses it."""

    def __init__(self, once: bool) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(64, 64), nn.Linear(64, 10)
        self.middle = nn.Linear(64, 64) if once else None

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.middle or nn.Linear(64, 64)
        x = F.relu(hidden(F.relu(self.enter(x))))
        logits: Tensor = self.leave(x)
        return logits


def growing(once: bool = False) -> Program:
    return classification(samples.digits(), Growing(once), adam(1e-3), epochs=10)


def own_he(rows: bool = False) -> Program:
    """He's weights by hand; copied into a layer, one row of them becomes all rows."""
    network = mlp([64, 64, 64, 10])
    for layer in network:
        if isinstance(layer, nn.Linear):
            count = layer.out_features if rows else 1
            drawn = torch.randn(count, layer.in_features) * (2 / layer.in_features) ** 0.5
            layer.weight.data.copy_(drawn)
            layer.bias.data.zero_()
    return classification(samples.digits(), network, adam(1e-3), epochs=8)


def sigmoid_codec(activation: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    """Eight layers of sigmoids down to a code of six numbers and up again."""
    data = samples.digits()
    data = data._replace(y=data.x, y_test=data.x_test)
    network = nn.Sequential(mlp([64, 48, 32, 16, 6, 16, 32, 48, 64], activation), nn.Sigmoid())
    return regression(data, network, adam(2e-3), epochs=20)


DIGITS = Goal("accuracy", at_least=0.88)
CASES = (
    Case(
        "digits-cleared-before-the-step", DIGITS, own_loop,
        ("frozen_parameter", "not_learning"), partial(own_loop, False),
    ),
    Case(
        "digit-images-mean-of-bytes", DIGITS, centred, ("unnormalized_input", "dead_relu"),
        partial(centred, 0.5),
    ),
    Case(
        "digit-images-rate-for-means", DIGITS, summed,
        ("learning_rate_too_high", "exploding_gradient", "dead_relu"), partial(summed, "mean"),
    ),
    Case(
        "quantiles-dropout-for-activation", Goal("accuracy", at_least=0.85), without_activations,
        ("linear_network",), partial(without_activations, nn.ReLU),
    ),
    Case(
        "digits-relu-in-every-layer", DIGITS, every_layer, ("output_loss_mismatch", "dead_relu"),
        partial(every_layer, False),
    ),
    Case(
        "diabetes-ridge-alpha-of-one", Goal("R2", at_least=0.4), ridge, ("over_regularized",),
        partial(ridge, 1e-3),
    ),
    Case(
        "friedman-norms-ported-from-keras", Goal("R2", at_least=0.7), keras_norm,
        ("train_eval_mismatch",), partial(keras_norm, 0.1),
    ),
    Case(
        "digits-layer-made-anew", DIGITS, growing, ("not_learning", "frozen_parameter"),
        partial(growing, True),
    ),
    Case(
        "digits-one-row-for-all", DIGITS, own_he, ("symmetric_weights", "poor_initialization"),
        partial(own_he, True),
    ),
    Case(
        "digits-codec-of-sigmoids", Goal("R2", at_least=0.55), sigmoid_codec,
        ("vanishing_gradient", "not_learning"), partial(sigmoid_codec, nn.SiLU),
    ),
)  # fmt: skip
