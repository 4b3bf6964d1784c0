"""Dense networks as anybody writes them: deep, wide, noisy, unbalanced."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import competitions, samples, surveys
from data_sets.samples import scaled_targets, split, standardized
from modules import adam, mlp, reset, sgd
from programs import classification, regression, two_classes
from scores import balanced_accuracy
from sklearn import datasets
from torch import Tensor, nn


class PreNorm(nn.Module):
    """A residual block that is normalized first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.inner(x)
        return found


def thirty_deep() -> Program:
    """Thirty linear layers, but along a path that is free."""
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(18, 32), *[PreNorm(32) for _ in range(14)], nn.LayerNorm(32),
        nn.Linear(32, 3),
    )  # fmt: skip
    optimizer = partial(torch.optim.AdamW, lr=1e-3)
    return classification(surveys.boards(), network, optimizer, batch_size=64, epochs=6)


def self_normalizing() -> Program:
    network = mlp([32, *[64] * 8, 30], nn.SELU)
    reset(network, partial(nn.init.kaiming_normal_, nonlinearity="linear"))
    return classification(
        samples.clusters(30, 60), network, sgd(0.01, 0.9), batch_size=64, epochs=10
    )


def sigmoid_rentals() -> Program:
    """One layer of sigmoids, a normalized input and the logarithm of what was rented."""
    raw = standardized(competitions.bikes())
    data = scaled_targets(raw._replace(y=raw.y.log1p(), y_test=raw.y_test.log1p()))
    network = mlp([8, 64, 1], nn.Sigmoid)
    return regression(data, network, adam(0.02), batch_size=64, epochs=25)


def thousands() -> Program:
    """Targets around 317 as they are, absolute errors, and a rate that suits them."""
    network = mlp([8, 128, 128, 1])
    return regression(
        standardized(surveys.houses()), network, adam(3e-3), epochs=20, loss=F.l1_loss
    )


def rare() -> Program:
    """One in twenty-five, and plainly enough to be found without weights."""
    x, y = datasets.make_classification(
        4000, 12, n_informative=8, weights=[0.96], flip_y=0, class_sep=2.2, random_state=6
    )
    network = mlp([12, 64, 32, 2])
    return classification(
        standardized(split(x, y)), network, adam(1e-3), batch_size=64, epochs=8,
        score=balanced_accuracy,
    )  # fmt: skip


def drowned(noise: float = 2.0) -> Program:
    """Two thirds of the variance are noise; who explains a quarter has done well."""
    generator = torch.Generator().manual_seed(8)
    x = torch.randn(4000, 6, generator=generator)
    y = (
        x[:, 0] * 1.2
        + (x[:, 1] * x[:, 2]).tanh() * 1.5
        + noise * torch.randn(4000, generator=generator)
    )
    optimizer = partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.01)
    return regression(
        scaled_targets(split(x, y)), mlp([6, 48, 1]), optimizer, batch_size=128, epochs=12
    )


def dropped() -> Program:
    """Few digits and much dropout: worse in training than afterwards, on purpose."""
    network = mlp([64, 256, 256, 10], dropout=0.6)
    return classification(
        samples.digits().first(500), network, adam(1e-3), batch_size=25, epochs=25
    )


def hurried() -> Program:
    """Two passes over many; it would still get better."""
    x, y = datasets.make_hastie_10_2(6000, random_state=2)
    network = mlp([10, 128, 128, 1])
    return two_classes(
        split(x, (y > 0).astype("int64")), network, adam(1e-3), batch_size=16, epochs=2
    )


def slow_and_wide() -> Program:
    """A rate of 5e-5 that looks too low, for layers of a thousand, in Adam."""
    network = mlp([64, 1024, 1024, 10])
    return classification(samples.digits(), network, adam(5e-5), batch_size=16, epochs=6)


def paper_rate() -> Program:
    network = mlp([30, 40, 40, 1], nn.ELU, norm=nn.BatchNorm1d)
    return two_classes(
        standardized(samples.cancer()), network, partial(torch.optim.Adadelta, lr=1.0),
        batch_size=32, epochs=12,
    )  # fmt: skip


CASES = (
    Case("boards-thirty-layers-norm-first", Goal("accuracy", at_least=0.8), thirty_deep),
    Case("clusters-eight-selu-layers", Goal("accuracy", at_least=0.95), self_normalizing),
    Case("bikes-one-layer-of-sigmoids", Goal("R2", at_least=0.8), sigmoid_rentals),
    Case("houses-thousands-absolute", Goal("R2", at_least=0.85), thousands),
    Case("machines-one-in-twenty-five", Goal("balanced accuracy", at_least=0.9), rare),
    Case("sums-drowned-in-noise", Goal("R2", at_least=0.25), drowned),
    Case("digits-few-much-dropout", Goal("accuracy", at_least=0.92), dropped),
    Case("spheres-two-hurried-passes", Goal("accuracy", at_least=0.9), hurried),
    Case("digits-slow-and-wide", Goal("accuracy", at_least=0.92), slow_and_wide),
    Case("cancer-adadelta-of-its-paper", Goal("accuracy", at_least=0.94), paper_rate),
)
