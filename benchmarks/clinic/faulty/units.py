"""Units that fall asleep or saturate, and inputs of layers that drift."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import ADAM, LitClassifier, adam, mlp, reset, sgd
from programs import classification
from scores import accuracy
from torch import Tensor, nn


class Pruned(nn.Module):
    """A layer whose mask was to keep a tenth of the weights, and keeps whole rows."""

    def __init__(self, kept: int) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 64)
        mask = torch.zeros(64, 1)
        mask[:kept] = 1
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.linear.weight * self.mask, self.linear.bias * self.mask[:, 0]
        return F.linear(x, weight, bias)


def pruned(kept: int = 2) -> Program:
    network = nn.Sequential(Pruned(kept), nn.GELU(), nn.Linear(64, 10))
    return classification(samples.digits(), network, adam(3e-3))


class GatedLayer(nn.Module):
    """Channels times a gate of their own, which starts at a bias."""

    def __init__(self, channels: int, bias: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 16, 3, padding=1)
        self.gate = nn.Linear(channels, 16)
        nn.init.constant_(self.gate.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x.mean((2, 3))))
        return F.silu(self.conv(x)) * gate[:, :, None, None]


class GatedNet(LitClassifier):
    """Two gated convolutions."""

    def __init__(self, bias: float) -> None:
        layers = GatedLayer(1, bias), GatedLayer(16, bias)
        super().__init__(nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 10)), ADAM)


def gated(bias: float = -12.0) -> Program:
    data = samples.digit_images()
    module = GatedNet(bias)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


def low_biases(bias: float = -15.0) -> Program:
    """Softplus units so far to the left that they hardly answer."""
    network = mlp([64, 96, 96, 10], nn.Softplus)
    nn.init.constant_(network[0].bias, bias)
    nn.init.constant_(network[2].bias, bias)
    return classification(samples.digits(), network)


def raw_wine(data: Samples) -> Program:
    network = mlp([13, 32, 32, 3], nn.Tanh)
    return classification(data, network, sgd(0.05), batch_size=8, epochs=20)


def wide_weights(deviation: float | None = 3.0) -> Program:
    network = mlp([64, 100, 100, 10], nn.Sigmoid)
    if deviation:
        reset(network, partial(nn.init.normal_, std=deviation))
    return classification(samples.digits(), network, adam(1e-3), epochs=15)


def wide_tanh(deviation: float | None = 1.0) -> Program:
    network = mlp([64, *[64] * 5, 10], nn.Tanh)
    if deviation:
        reset(network, partial(nn.init.normal_, std=deviation))
    return classification(samples.digits(), network, sgd(0.05, 0.9))


def wide_relu(deviation: float | None = 0.5) -> Program:
    network = mlp([64, *[128] * 4, 10])
    if deviation:
        reset(network, partial(nn.init.normal_, std=deviation))
    return classification(samples.digits(), network, sgd(0.05, 0.9))


def small_conv(deviation: float | None = 0.005) -> Program:
    layers: list[nn.Module] = []
    for before in (1, 12, 12, 12, 12):
        layers += [nn.Conv2d(before, 12, 3, padding=1), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(192, 10))
    kaiming = partial(nn.init.kaiming_normal_, nonlinearity="relu")
    reset(network, partial(nn.init.normal_, std=deviation) if deviation else kaiming)
    return classification(samples.digit_images(), network, sgd(0.05, 0.9))


def equal_filters(constant: float | None = 0.1) -> Program:
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(64, 10),
    )  # fmt: skip
    if constant is not None:
        reset(network, partial(nn.init.constant_, val=constant))
    return classification(samples.digit_images(), network, adam(0.01), epochs=10)


class DriftingSensor(LightningModule):
    """Readings in the order of time, whose level moves; ``window`` is subtracted if asked."""

    def __init__(self, level_removed: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 2))
        self.level_removed = level_removed

    def forward(self, x: Tensor) -> Tensor:
        if self.level_removed:
            x = x - x.mean(1, keepdim=True)
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        readings, fault = batch
        loss = F.cross_entropy(self(readings), fault)
        self.log("train_ce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def drifting_sensor(level_removed: bool = False, drift: float = 30.0) -> Program:
    """Is there a step in the readings? Their level wanders far from where it was."""
    generator = torch.Generator().manual_seed(6)
    y = torch.randint(2, (2400,), generator=generator)
    x = 0.5 * torch.randn(2400, 12, generator=generator)
    x[:, 6:] += 1.0 * y[:, None]
    x += torch.linspace(0, drift, 2400)[:, None]
    later = torch.arange(3, 2400, 4)
    first = torch.tensor([i for i in range(2400) if i % 4 != 3])
    data = Samples(x[first], y[first], x[later], y[later])
    module = DriftingSensor(level_removed)
    train, _ = loaders(data, 32, shuffle=False)
    return Program(module, train, None, 5, partial(accuracy, module, data))


DIGITS = Goal("accuracy", at_least=0.88)
CASES = (
    Case(
        "digits-pruned-rows", DIGITS, pruned, ("dormant_units",), partial(pruned, 64),
    ),
    Case(
        "digit-images-closed-gates", DIGITS, gated,
        ("dormant_units", "vanishing_gradient", "saturated_activation", "not_learning"),
        partial(gated, 1.0),
    ),
    Case(
        "digits-low-biases", DIGITS, low_biases,
        ("dormant_units", "poor_initialization", "vanishing_gradient", "not_learning",
         "saturated_activation"),
        partial(low_biases, 0.0),
    ),
    Case(
        "wine-raw-into-tanh", DIGITS, lambda: raw_wine(samples.wine()),
        ("unnormalized_input", "saturated_activation"),
        lambda: raw_wine(standardized(samples.wine())),
    ),
    Case(
        "digits-wide-sigmoid-weights", Goal("accuracy", at_least=0.8), wide_weights,
        ("saturated_activation", "poor_initialization", "vanishing_gradient"),
        partial(wide_weights, None),
    ),
    Case(
        "digits-tanh-of-wide-weights", DIGITS, wide_tanh,
        ("saturated_activation", "poor_initialization"), partial(wide_tanh, None), fast=True,
    ),
    Case(
        "digits-wide-relu-weights", DIGITS, wide_relu,
        ("poor_initialization", "exploding_gradient", "learning_rate_too_high", "dead_relu"),
        partial(wide_relu, None),
    ),
    Case(
        "digit-images-small-filters", DIGITS, small_conv,
        ("poor_initialization", "vanishing_gradient", "not_learning"), partial(small_conv, None),
    ),
    Case(
        "digit-images-equal-filters", DIGITS, equal_filters,
        ("symmetric_weights", "poor_initialization"), partial(equal_filters, None),
    ),
    Case(
        "sensor-drifting-level", Goal("accuracy", at_least=0.9), drifting_sensor,
        ("covariate_shift", "unnormalized_input"), partial(drifting_sensor, True), fast=True,
    ),
)  # fmt: skip
