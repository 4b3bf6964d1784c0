"""Regressions that miss their targets."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import ADAM, Optimizer, adam, mlp, reset, sgd
from programs import regression
from scores import r2
from torch import Tensor, nn

KAIMING = partial(nn.init.kaiming_normal_, nonlinearity="relu")


def parabola() -> Samples:
    """Published: 50 values of 5x² with a cubed normal noise."""
    x = torch.arange(0, 5, 0.1)[:, None]
    noise = torch.randn(len(x), generator=torch.Generator().manual_seed(0)) ** 3
    return split(x, 5 * x[:, 0] ** 2 + noise, train=0.8)


def published(lr: float) -> Program:
    return regression(parabola(), mlp([1, 50, 30, 1]), sgd(lr), batch_size=12, epochs=150)


def friedman_network(network: nn.Module, optimizer: Optimizer = ADAM, **arguments: Any) -> Program:
    return regression(
        scaled_targets(standardized(samples.friedman())), network, optimizer, **arguments
    )


def deep_sigmoid() -> Program:
    return friedman_network(mlp([10, *[32] * 10, 1], nn.Sigmoid), adam(3e-3))


def deep_relu() -> Program:
    return friedman_network(reset(mlp([10, *[32] * 10, 1]), KAIMING), adam(3e-3))


def narrow_and_deep(activation: Any = nn.ReLU, norm: Any = None) -> Program:
    network = reset(mlp([10, *[3] * 14, 1], activation, norm=norm), KAIMING)
    return friedman_network(network, adam(3e-3), epochs=20)


class PricePredictor(LightningModule):
    """Batches are dictionaries; the prediction has a column that the target lacks."""

    def __init__(self, output: nn.Module | None = None, squeeze: bool = True) -> None:
        super().__init__()
        self.hidden1, self.hidden2 = nn.Linear(10, 64), nn.Linear(64, 64)
        self.output, self.squeeze = nn.Linear(64, 1), squeeze
        self.output_activation = output or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.hidden1(x))
        x = F.relu(self.hidden2(x))
        found: Tensor = self.output_activation(self.output(x))
        return found.squeeze(1) if self.squeeze else found

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        error = self(batch["features"]) - batch["price"]
        loss = (error**2).mean()
        self.log("mse", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-4)


def prices(data: Samples, epochs: int = 15, **model: Any) -> Program:
    rows = [{"features": x, "price": y} for x, y in zip(data.x, data.y, strict=True)]
    batches = torch.utils.data.DataLoader(rows, batch_size=32, shuffle=True)  # type: ignore[arg-type]
    module = PricePredictor(**model)
    return Program(module, batches, None, epochs, partial(r2, module, data))


def broadcast_loss(squeeze: bool = False) -> Program:
    return prices(scaled_targets(standardized(samples.friedman())), squeeze=squeeze)


def relu_output(output: Any = nn.ReLU) -> Program:
    return prices(scaled_targets(standardized(samples.friedman())), output=output())


def sigmoid_on_diabetes(output: Any = nn.Sigmoid) -> Program:
    data = standardized(samples.diabetes())
    network = nn.Sequential(mlp([10, 32, 1]), output())
    return regression(data, network, adam(0.03), batch_size=16, epochs=20)


def raw_diabetes(data: Samples | None = None) -> Program:
    network = mlp([10, 64, 64, 1])
    return regression(data or scaled_targets(samples.diabetes()), network, sgd(0.01), epochs=25)


def shuffled_targets(shuffle: bool = True) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    if shuffle:
        data = data._replace(y=data.y.flip(0))
    return regression(data, mlp([10, 64, 64, 1]), adam(3e-3))


def wild_targets(loss: Any = F.mse_loss, **trainer: Any) -> Program:
    """One target in thirty is off by far, as a broken sensor's."""
    data = scaled_targets(standardized(samples.friedman()))
    generator = torch.Generator().manual_seed(2)
    wrong = torch.rand(len(data.y), generator=generator) < 0.03
    y = torch.where(wrong, 300 * torch.randn(len(data.y), generator=generator), data.y)
    network = mlp([10, 64, 64, 1])
    return regression(data._replace(y=y), network, sgd(0.02, 0.9), loss=loss, trainer=trainer)


def mixed_scales(data: Samples | None = None) -> Program:
    """A year, an income and eight shares, as they came."""
    if data is None:
        shift, scale = torch.zeros(10), torch.ones(10)
        shift[0], scale[0], scale[1] = 1950, 70, 50_000
        data = scaled_targets(samples.friedman())
        data = data.with_inputs(shift + scale * data.x, shift + scale * data.x_test)
    return regression(data, mlp([10, 64, 64, 1]), adam(1e-3))


FRIEDMAN = Goal("R2", at_least=0.85)
DIABETES = Goal("R2", at_least=0.35)
CASES = (
    Case(
        "parabola-large-steps", Goal("R2", at_least=0.9), partial(published, 0.1),
        ("learning_rate_too_high", "exploding_gradient", "non_finite", "dead_relu"),
        partial(published, 1e-4), fast=True,
    ),
    Case(
        "friedman-ten-sigmoid-layers", FRIEDMAN, deep_sigmoid, ("vanishing_gradient",), deep_relu
    ),
    Case(
        "friedman-narrow-and-deep", FRIEDMAN, narrow_and_deep,
        ("dead_relu", "vanishing_gradient", "dormant_units"),
        lambda: friedman_network(mlp([10, 32, 32, 1]), adam(3e-3)),
    ),
    Case(
        "prices-broadcast-loss", FRIEDMAN, broadcast_loss,
        ("output_loss_mismatch", "not_learning"), partial(broadcast_loss, True),
    ),
    Case(
        "prices-relu-output", FRIEDMAN, relu_output, ("output_loss_mismatch",),
        partial(relu_output, nn.Identity),
    ),
    Case(
        "diabetes-sigmoid-output", DIABETES, sigmoid_on_diabetes,
        ("output_loss_mismatch", "saturated_activation"),
        partial(sigmoid_on_diabetes, nn.Identity),
    ),
    Case(
        "diabetes-raw-features", DIABETES, raw_diabetes,
        ("unnormalized_input", "exploding_gradient", "learning_rate_too_high", "non_finite",
         "dead_relu"),
        lambda: raw_diabetes(scaled_targets(standardized(samples.diabetes()))),
    ),
    Case(
        "friedman-shuffled-targets", FRIEDMAN, shuffled_targets,
        ("inconsistent_labels", "not_learning", "overfitting"), partial(shuffled_targets, False),
    ),
    Case(
        "friedman-wild-targets", FRIEDMAN, wild_targets,
        ("exploding_gradient", "unstable_loss", "non_finite", "learning_rate_too_high"),
        partial(wild_targets, F.huber_loss, gradient_clip_val=1.0),
    ),
    Case(
        "friedman-without-activations", FRIEDMAN,
        lambda: friedman_network(mlp([10, 64, 64, 1], None)), ("linear_network",),
        lambda: friedman_network(mlp([10, 64, 64, 1]), adam(3e-3)),
    ),
    Case(
        "friedman-mixed-scales", FRIEDMAN, mixed_scales, ("unnormalized_input",),
        lambda: mixed_scales(scaled_targets(standardized(samples.friedman()))),
    ),
    Case(
        "friedman-small-steps", FRIEDMAN,
        lambda: friedman_network(mlp([10, 64, 64, 1]), sgd(1e-5)), ("learning_rate_too_low",),
        lambda: friedman_network(mlp([10, 64, 64, 1]), sgd(0.05)),
    ),
)  # fmt: skip
