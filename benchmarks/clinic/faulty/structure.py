"""Networks that cannot learn what they are asked, and loops that make them forget it."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, reset, sgd
from programs import classification, regression, two_classes
from scores import accuracy, r2
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR


def odd_digits() -> Samples:
    """Is the digit odd? More than a plane can tell."""
    data = samples.digit_images()
    return data._replace(y=data.y % 2, y_test=data.y_test % 2)


def convolutions_in_a_row(activation: Any = nn.Identity) -> Program:
    layers: list[nn.Module] = []
    for before in (1, 16, 16):
        layers += [nn.Conv2d(before, 16, 3, padding=1), nn.BatchNorm2d(16), activation()]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 2))
    return classification(odd_digits(), network, epochs=8)


def normalized_but_linear(activation: Any = None) -> Program:
    network = mlp([2, 64, 64, 64, 1], activation, norm=nn.BatchNorm1d)
    return two_classes(samples.clear_circle(), network, adam(3e-3))


def stuck_biases(bias: float = 9.0) -> Program:
    """Hidden sigmoids that are on, whatever comes in."""
    network = mlp([64, 80, 80, 10], nn.Sigmoid)
    for layer in network[:-1]:
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.bias, bias)
    return classification(samples.digits(), network, adam(3e-3), epochs=12)


def sharp_tanh(gain: float = 30.0) -> Program:
    """A slope that was to make the units decide."""

    class Sharp(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(gain * x)

    data = scaled_targets(standardized(samples.friedman()))
    return regression(data, mlp([10, 64, 64, 1], Sharp), adam(1e-3))


def warm_up_by_thousands(optimizer: torch.optim.Optimizer) -> LambdaLR:
    return LambdaLR(optimizer, lambda step: step // 1000)


def warm_up(optimizer: torch.optim.Optimizer) -> LambdaLR:
    return LambdaLR(optimizer, lambda step: min(1.0, step / 100))


def warmed_up(schedule: Any = warm_up_by_thousands) -> Program:
    return classification(samples.digits(), mlp([64, 128, 10]), adam(2e-3), scheduler=schedule)


class Noisy(LitClassifier):
    """Adds noise to its inputs, of a strength that was meant for bytes."""

    strength = 60.0

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return super().training_step((x + self.strength * torch.randn_like(x), y), batch_idx)


class SlightlyNoisy(Noisy):
    """The same noise, for pixels from 0 to 1."""

    strength = 0.2


def noisy(module: type[LitClassifier] = Noisy) -> Program:
    data = samples.digits()
    model = module(mlp([64, 128, 10]))
    return Program(model, *loaders(data, 32), 8, partial(accuracy, model, data))


class Cached(LightningModule):
    """Normalises its inputs, and then goes on with what it normalised first."""

    def __init__(self, cached: bool = True) -> None:
        super().__init__()
        self.lin1, self.lin2 = nn.Linear(13, 32), nn.Linear(32, 3)
        self.cache: Tensor | None = None
        self.cached = cached

    def forward(self, x: Tensor) -> Tensor:
        if self.cache is None or not self.cached or len(self.cache) != len(x):
            self.cache = F.layer_norm(x, (13,))
        return self.lin2(F.relu(self.lin1(self.cache)))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self(batch[0]), batch[1])}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def cached(stale: bool = True) -> Program:
    data = standardized(samples.wine())
    module = Cached(stale)
    train, _ = loaders(data, 8, drop_last=True)
    return Program(module, train, None, 16, partial(accuracy, module, data))


def one_by_one(lr: float, batch_size: int, epochs: int) -> Program:
    """A regression by single samples with a momentum that remembers too many of them."""
    data = scaled_targets(standardized(samples.friedman(2.0))).first(600)
    network = mlp([10, 32, 1], nn.Tanh)
    return regression(data, network, sgd(lr, 0.95), batch_size=batch_size, epochs=epochs)


def blocks_of_classes(shuffle: bool = False) -> Program:
    """Images class by class, as folders are listed."""
    data = samples.digit_images()
    order = data.y.argsort(stable=True)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    data = data._replace(x=data.x[order], y=data.y[order])
    return classification(data, network, adam(2e-3), shuffle=shuffle)


def lights_going_on(per_image: bool = False) -> Program:
    """Images in the order of the day, brighter and brighter, unless each is centred."""
    data = samples.digit_images()
    light = torch.linspace(0, 12, len(data.y))[:, None, None, None]
    generator = torch.Generator().manual_seed(0)
    light_test = 12 * torch.rand(len(data.y_test), 1, 1, 1, generator=generator)
    data = data.with_inputs(data.x + light, data.x_test + light_test)
    if per_image:
        data = data.with_inputs(
            data.x - data.x.mean((2, 3), keepdim=True),
            data.x_test - data.x_test.mean((2, 3), keepdim=True),
        )
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 10),
    )  # fmt: skip
    return classification(data, network, sgd(0.02, 0.9), shuffle=False)


class Towers(LightningModule):
    """Sums two networks; all weights of both start as nothing."""

    def __init__(self, weight: Any) -> None:
        super().__init__()
        self.wide = reset(mlp([10, 64, 1], nn.Sigmoid), weight)
        self.deep = reset(mlp([10, 32, 32, 1], nn.Sigmoid), weight)

    def forward(self, x: Tensor) -> Tensor:
        return (self.wide(x) + self.deep(x))[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.02)


def towers(weight: Any = nn.init.zeros_) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    module = Towers(weight)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(r2, module, data))


DIGITS = Goal("accuracy", at_least=0.9)
CASES = (
    Case(
        "odd-digits-convolutions-in-a-row", Goal("accuracy", at_least=0.95),
        convolutions_in_a_row, ("linear_network",), partial(convolutions_in_a_row, nn.ReLU),
    ),
    Case(
        "circle-normalized-but-linear", DIGITS, normalized_but_linear, ("linear_network",),
        partial(normalized_but_linear, nn.ReLU),
    ),
    Case(
        "digits-stuck-sigmoids", DIGITS, stuck_biases,
        ("saturated_activation", "poor_initialization", "vanishing_gradient"),
        partial(stuck_biases, 0.0),
    ),
    Case(
        "friedman-steep-tanh", Goal("R2", at_least=0.8), sharp_tanh, ("saturated_activation",),
        partial(sharp_tanh, 1.0),
    ),
    Case(
        "digits-warm-up-of-zero", DIGITS, warmed_up,
        ("learning_rate_too_low", "frozen_parameter", "not_learning"), partial(warmed_up, warm_up),
    ),
    Case(
        "digits-drowned-in-noise", DIGITS, noisy,
        ("not_learning", "unnormalized_input", "train_eval_mismatch"),
        partial(noisy, SlightlyNoisy),
    ),
    Case(
        "wine-stale-cache", DIGITS, cached, ("not_learning", "inconsistent_labels"),
        partial(cached, False), fast=True,
    ),
    Case(
        "friedman-one-by-one", Goal("R2", at_least=0.55), partial(one_by_one, 0.03, 1, 2),
        ("unstable_loss", "learning_rate_too_high", "exploding_gradient", "non_finite"),
        partial(one_by_one, 0.01, 32, 30),
    ),
    Case(
        "digit-images-blocks-of-classes", DIGITS, blocks_of_classes,
        ("unstable_loss", "class_imbalance", "covariate_shift"), partial(blocks_of_classes, True),
    ),
    Case(
        "digit-images-lights-going-on", Goal("accuracy", at_least=0.85), lights_going_on,
        ("covariate_shift", "unnormalized_input", "unstable_loss"),
        partial(lights_going_on, True),
    ),
    Case(
        "friedman-towers-of-zeros", Goal("R2", at_least=0.88), towers,
        ("symmetric_weights", "poor_initialization"), partial(towers, nn.init.xavier_uniform_),
    ),
)  # fmt: skip
