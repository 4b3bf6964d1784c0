"""Layers through which little comes: deep, dead, asleep, saturated, or all of one kind."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import competitions, samples, surveys
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset, sgd
from programs import classification, regression, two_classes
from scores import accuracy
from torch import Tensor, nn

KAIMING = partial(nn.init.kaiming_normal_, nonlinearity="relu")


def shapes(scale: float = 1.0) -> Samples:
    found = surveys.pictures()
    return found.labelled(found.shape).with_inputs(scale * found.x[:800], scale * found.x[-300:])


def boards() -> Samples:
    data = surveys.boards()
    return data.with_inputs(data.x.flatten(1), data.x_test.flatten(1))


class Block(nn.Module):
    """A layer with or without a way around it."""

    def __init__(self, width: int, residual: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if residual else nn.Identity()
        self.fc, self.residual = nn.Linear(width, width), residual

    def forward(self, x: Tensor) -> Tensor:
        out = F.gelu(self.fc(self.norm(x)))
        return x + out if self.residual else out


def thirty_blocks(residual: bool = False) -> Program:
    """Whether a passenger survived, by a network as deep as those of pictures."""
    network = nn.Sequential(
        nn.Linear(13, 48), *[Block(48, residual) for _ in range(30)], nn.Linear(48, 1)
    )
    return two_classes(
        competitions.passenger_columns(), network, partial(torch.optim.AdamW, lr=5e-4), epochs=6
    )


def vgg(deviation: float | None = 0.01) -> Program:
    """Ten convolutions, drawn as AlexNet's five were."""
    layers: list[nn.Module] = []
    for before, after, pool in (
        (3, 8, False), (8, 8, False), (8, 8, True), (8, 16, False), (16, 16, False),
        (16, 16, False), (16, 16, True), (16, 16, False), (16, 16, False), (16, 16, False),
    ):  # fmt: skip
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d(2)] if pool else []
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(144, 4))
    reset(network, partial(nn.init.normal_, std=deviation) if deviation else KAIMING)
    return classification(shapes(), network, sgd(0.01, 0.9), epochs=12)


def one_sided(low: float = -1.0, high: float = 0.0) -> Program:
    """Weights drawn from -k to 0, as somebody had swapped the bounds and then a sign."""
    network = mlp([64, 80, 40, 10])
    for layer in network[:3]:
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, low * bound, high * bound)
    return classification(samples.digits(), network, adam(1e-3), batch_size=16)


def killed(rate: float = 0.1) -> Program:
    """A rate from SGD's examples in RMSprop, and no norms."""
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 24, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(216, 48), nn.ReLU(), nn.Linear(48, 4),
    )  # fmt: skip
    return classification(shapes(), network, partial(torch.optim.RMSprop, lr=rate), epochs=20)


class Slimmed(LightningModule):
    """Channels are pruned later by the scales of their norms, which a penalty makes small."""

    def __init__(self, sparsity: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.head, self.sparsity = nn.Linear(288, 4), sparsity

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm2d)]
        penalty = torch.stack([m.weight.abs().sum() for m in norms]).sum()
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log_dict({"train/ce": loss, "train/l1": penalty})
        return loss + self.sparsity * penalty

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def slimmed(sparsity: float = 1.0) -> Program:
    data, module = shapes(), Slimmed(sparsity)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


def asleep(bias: float = -6.0) -> Program:
    """Biases that suit the last layer of a detector, given to every layer before it."""
    network = mlp([18, 64, 64, 3], nn.GELU)
    for layer in network[:3]:
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.bias, bias)
    return classification(boards(), network, adam(3e-3), batch_size=64, epochs=16)


def bytes_into_sigmoids(scale: float = 255.0) -> Program:
    network = nn.Sequential(nn.Flatten(), *mlp([432, 64, 32, 4], nn.Sigmoid))
    return classification(
        shapes(scale), network, sgd(0.05, 0.9, nesterov=True), batch_size=16, epochs=25
    )


def steep_tanh(rate: float = 0.3) -> Program:
    network = mlp([8, 40, 40, 40, 1], nn.Tanh)
    data = scaled_targets(standardized(surveys.houses()))
    return regression(data, network, adam(rate), batch_size=64, epochs=14)


class Averaging(nn.Module):
    """A layer that begins by giving each unit the mean of its inputs."""

    def __init__(self, before: int, after: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((after, before), 1 / before))
        self.bias = nn.Parameter(torch.zeros(after))
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(F.linear(x, self.weight, self.bias))


def averages(drawn: bool = False) -> Program:
    layers: list[Any] = [Averaging(10, 32, F.elu), Averaging(32, 32, F.elu)]
    network = nn.Sequential(*layers, Averaging(32, 1, lambda x: x))
    if drawn:
        for weight in network.parameters():
            if weight.ndim == 2:
                nn.init.xavier_normal_(weight)
    data = scaled_targets(standardized(samples.friedman()))
    return regression(data, network, adam(5e-3), batch_size=32, epochs=14)


def equal_boards(constant: float | None = 0.01) -> Program:
    network = mlp([18, 128, 3], nn.ReLU)
    if constant is not None:
        for weight in network.parameters():
            nn.init.constant_(weight, constant)
    return classification(boards(), network, sgd(0.1, 0.9), batch_size=128, epochs=40)


def wrong_gain(gain: float | None = 5.0) -> Program:
    """The gain that belongs to tanh, times three by mistake, in a network of SiLUs."""
    network = mlp([10, 128, 128, 128, 1], nn.SiLU)
    if gain:
        reset(network, partial(nn.init.xavier_uniform_, gain=gain))
    data = scaled_targets(standardized(samples.friedman()))
    return regression(data, network, partial(torch.optim.AdamW, lr=1e-3), epochs=20)


SHAPES = Goal("accuracy", at_least=0.8)
DIGITS = Goal("accuracy", at_least=0.92)
BOARDS = Goal("accuracy", at_least=0.8)
EXPLAINED = Goal("R2", at_least=0.85)
CASES = (
    Case(
        "passengers-thirty-plain-blocks", Goal("accuracy", at_least=0.7), thirty_blocks,
        ("vanishing_gradient", "poor_initialization"), partial(thirty_blocks, True),
    ),
    Case(
        "shapes-ten-convolutions-drawn-small", SHAPES, vgg,
        ("vanishing_gradient", "poor_initialization"), partial(vgg, None),
    ),
    Case(
        "digits-weights-below-zero", DIGITS, one_sided,
        ("dead_relu", "poor_initialization", "dormant_units"), partial(one_sided, -1.0, 1.0),
    ),
    Case(
        "shapes-rmsprop-kills-units", Goal("accuracy", at_least=0.7), killed,
        ("dead_relu", "learning_rate_too_high", "dormant_units"), partial(killed, 1e-3),
    ),
    Case(
        "shapes-slimmed-to-nothing", Goal("accuracy", at_least=0.92), slimmed,
        ("over_regularized", "dormant_units"), partial(slimmed, 1e-3),
    ),
    Case(
        "boards-asleep-behind-biases", Goal("accuracy", at_least=0.77), asleep,
        ("poor_initialization", "vanishing_gradient", "dormant_units"), partial(asleep, 0.0),
    ),
    Case(
        "shapes-bytes-into-sigmoids", Goal("accuracy", at_least=0.6), bytes_into_sigmoids,
        ("unnormalized_input", "saturated_activation"), partial(bytes_into_sigmoids, 1.0),
    ),
    Case(
        "houses-tanh-thrown-to-its-ends", EXPLAINED, steep_tanh,
        ("learning_rate_too_high", "saturated_activation"), partial(steep_tanh, 5e-3),
    ),
    Case(
        "friedman-layers-of-averages", EXPLAINED, averages,
        ("symmetric_weights", "poor_initialization"), partial(averages, True),
    ),
    Case(
        "boards-hundredths-everywhere", BOARDS, equal_boards,
        ("symmetric_weights", "poor_initialization"), partial(equal_boards, None),
    ),
    Case(
        "friedman-gain-of-five", EXPLAINED, wrong_gain,
        ("poor_initialization", "exploding_gradient"), partial(wrong_gain, None),
    ),
)  # fmt: skip
