"""Slips of doctoral students outside of machine learning, in programs of their own making."""

from functools import partial
from typing import Any

import torch
from case import Case, Goal, Program
from data_sets import institutes
from data_sets.samples import loaders
from healthy.institutes import Tuning, Vowels, deviance_explained, gravity, tuning
from lightning.pytorch import LightningModule
from scores import accuracy, r2
from torch import Tensor, nn


def alike(start_equal: bool) -> Program:
    """Rates begin with every weight at a tenth, as the old fitting script did."""
    data = institutes.spikes()
    module = Tuning(18, 4e-3)
    if start_equal:
        for weights in (module.W1, module.W2):
            nn.init.constant_(weights, 0.1)
    score = partial(deviance_explained, module, data)
    return Program(module, *loaders(data, 40), 14, score)


class LifeByTheSlope(LightningModule):
    """Two layers of softplus; lifetimes are positive, so the output is cut at zero."""

    def __init__(self, positive: bool) -> None:
        super().__init__()
        self.positive = positive
        self.inner, self.outer = nn.Linear(36, 44), nn.Linear(44, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.outer(nn.functional.softplus(self.inner(x))).squeeze(1)
        return out.relu() if self.positive else out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = ((self(x) - y) ** 2).mean()
        self.log("residual2", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("residual2_val", ((self(x) - y) ** 2).mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def slope(positive: bool) -> Program:
    data = institutes.decays()
    module = LifeByTheSlope(positive)
    return Program(module, *loaders(data, 80), 16, partial(r2, module, data))


def sorted_vowels(mixed: bool) -> Program:
    """The table's labels were sorted by the spreadsheet, its formants were not."""
    data = institutes.vowels()
    module = Vowels(28, 0.01, torch.tanh)
    table = data._replace(y=data.y.sort().values) if mixed else data
    train = loaders(table, 25)[0]
    return Program(module, train, loaders(data, 25)[1], 10, partial(accuracy, module, data))


CASES = (
    Case(
        "neurons-speed-in-millimetres", Goal("deviance explained", at_least=0.68),
        partial(tuning, 26, 3e-3, 50, 16, 1.0),
        ("unnormalized_input", "saturated_activation"), partial(tuning, 26, 3e-3, 50, 16),
    ),
    Case(
        "neurons-fitted-with-patience", Goal("deviance explained", at_least=0.6),
        partial(tuning, 32, 1e-5, 36, 12), ("learning_rate_too_low",),
        partial(tuning, 32, 3e-3, 36, 12),
    ),
    Case(
        "fluorescence-lifetimes-kept-positive", Goal("R2", at_least=0.75), partial(slope, True),
        ("output_loss_mismatch", "dead_relu"), partial(slope, False),
    ),
    Case(
        "vowels-of-a-sorted-table", Goal("accuracy", at_least=0.8), partial(sorted_vowels, True),
        ("inconsistent_labels",), partial(sorted_vowels, False),
    ),
    Case(
        "neurons-from-one-tenth-each", Goal("deviance explained", at_least=0.6),
        partial(alike, True), ("symmetric_weights", "poor_initialization"),
        partial(alike, False),
    ),
    Case(
        "neurons-fitted-in-strides", Goal("deviance explained", at_least=0.6),
        partial(tuning, 22, 1.0, 48, 13), ("learning_rate_too_high", "unstable_loss"),
        partial(tuning, 22, 6e-3, 48, 13),
    ),
    Case(
        "trade-places-never-fitted", Goal("R2", at_least=0.8),
        partial(gravity, 3, 0.02, 12, 0.0, False), ("frozen_parameter",),
        partial(gravity, 3, 0.02, 12),
    ),
    Case(
        "trade-shrunk-towards-nothing", Goal("R2", at_least=0.8),
        partial(gravity, 4, 0.015, 13, 0.1), ("over_regularized",),
        partial(gravity, 4, 0.015, 13, 1e-4),
    ),
)  # fmt: skip
