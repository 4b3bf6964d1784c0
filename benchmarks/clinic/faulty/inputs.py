"""Faults of the data: scales, labels, order and counts."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, split, standardized
from modules import ADAM, LitClassifier, adam, mlp, sgd
from programs import classification, two_classes
from scores import accuracy, balanced_accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

DIGITS = Goal("accuracy", at_least=0.9)


def wine(data: Samples) -> Program:
    return classification(data, mlp([13, 32, 32, 3]), sgd(0.02), batch_size=8, epochs=20)


def cancer(data: Samples) -> Program:
    return two_classes(data, mlp([30, 32, 16, 1], nn.Tanh), sgd(0.05, 0.9), epochs=20)


def digits_scaled(scale: float) -> Program:
    data = samples.digits()
    data = data.with_inputs(scale * data.x, scale * data.x_test)
    return classification(data, mlp([64, 128, 10]), sgd(0.1))


def off_by_one(shift: int = 1) -> Program:
    """Inputs and labels read from two files of which one has a head line."""
    data = samples.digits()
    return classification(data._replace(y=data.y.roll(shift)), mlp([64, 128, 10]), epochs=10)


class SortedLabels(LitClassifier):
    """Sorts the labels of each batch, as a careless collate function does."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y.sort().values)


def sorted_labels(module: type[LitClassifier] = SortedLabels) -> Program:
    data = samples.digits()
    model = module(mlp([64, 128, 10]))
    both = samples.loaders(data, 32)
    return Program(model, *both, 8, partial(accuracy, model, data))


class Ascent(LitClassifier):
    """A reward that is maximised, in a step written for a loss."""

    sign = -1.0

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return self.sign * F.cross_entropy(self(x), y)


class Descent(Ascent):
    """The loss as it should be."""

    sign = 1.0


def contradictory(share: float = 0.9) -> Program:
    """Most labels are whatever an annotator pressed."""
    data = samples.digits()
    generator = torch.Generator().manual_seed(5)
    wrong = torch.rand(len(data.y), generator=generator) < share
    noise = torch.randint(10, (len(data.y),), generator=generator)
    data = data._replace(y=torch.where(wrong, noise, data.y))
    return classification(data, mlp([64, 64, 10]), epochs=10)


def rare_class(weight: float | None = None) -> Program:
    """Two overlapping clouds, one of them forty times rarer."""
    generator = torch.Generator().manual_seed(4)
    y = (torch.rand(4000, generator=generator) < 1 / 40).long()
    x = torch.randn(4000, 6, generator=generator) + 0.6 * y[:, None]
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight) if weight else None)
    return two_classes(
        split(x, y), mlp([6, 32, 1]), epochs=4, loss_fn=loss, score=balanced_accuracy
    )


def long_tail(balanced: bool = False) -> Program:
    """Digits of which the smaller are far more frequent."""
    data = samples.digits()
    counts = [100, 100, 4, 4, 3, 3, 2, 2, 2, 2]
    kept = torch.cat([torch.where(data.y == k)[0][:n] for k, n in enumerate(counts)])
    data = data._replace(x=data.x[kept], y=data.y[kept])
    program = classification(
        data, mlp([64, 64, 10]), sgd(0.05), batch_size=16, epochs=15, score=balanced_accuracy
    )
    if not balanced:
        return program
    weights = (1 / data.y.bincount())[data.y]
    sampler = WeightedRandomSampler(weights.tolist(), len(weights))
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=16, sampler=sampler)
    return Program(program.module, train, program.validation, 25, program.score)


def sorted_batches(shuffle: bool = False) -> Program:
    data = samples.digits()
    order = data.y.argsort(stable=True)
    data = data._replace(x=data.x[order], y=data.y[order])
    return classification(data, mlp([64, 128, 10]), sgd(0.1), shuffle=shuffle)


def softmax_twice(classes: int = 100, softmax: bool = True) -> Program:
    data = samples.clusters(classes)
    output = nn.Softmax(-1) if softmax else nn.Identity()
    return classification(data, nn.Sequential(mlp([32, 128, classes]), output), sgd(0.5), epochs=10)


def sigmoid_twice(sigmoid: bool = True) -> Program:
    """Probabilities where the loss wants logits, and a class that is seldom."""
    output = nn.Sigmoid() if sigmoid else nn.Identity()
    network = nn.Sequential(mlp([2, 32, 32, 1]), output)
    return two_classes(samples.moons(), network, adam(3e-3), score=balanced_accuracy)


class OneOutput(LitClassifier):
    """A softmax over a single output: its loss is 0 from the start."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y.float()[:, None])

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1].float()[:, None]))


class OneLogit(LitClassifier):
    """The loss that one output is for."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return F.binary_cross_entropy_with_logits(self(x), y.float()[:, None])

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.binary_cross_entropy_with_logits(logits, batch[1].float()[:, None]))


def one_output(module: type[LitClassifier] = OneOutput) -> Program:
    data = samples.moons()
    model = module(mlp([2, 32, 32, 1]), ADAM)
    both: tuple[Any, Any] = samples.loaders(data, 32)
    return Program(model, *both, 12, partial(balanced_accuracy, model, data))


CASES = (
    Case(
        "wine-raw-features", DIGITS, lambda: wine(samples.wine()),
        ("unnormalized_input", "dead_relu", "learning_rate_too_high", "exploding_gradient",
         "not_learning"),
        lambda: wine(standardized(samples.wine())), fast=True,
    ),
    Case(
        "cancer-raw-features", DIGITS, lambda: cancer(samples.cancer()),
        ("unnormalized_input", "saturated_activation", "learning_rate_too_high"),
        lambda: cancer(standardized(samples.cancer())),
    ),
    Case(
        "digits-divided-twice", DIGITS, partial(digits_scaled, 1 / 255),
        ("unnormalized_input", "learning_rate_too_low", "not_learning"),
        partial(digits_scaled, 1.0),
    ),
    Case(
        "digits-labels-off-by-one", DIGITS, off_by_one,
        ("inconsistent_labels", "not_learning", "overfitting"),
        partial(off_by_one, 0), fast=True,
    ),
    Case(
        "digits-labels-sorted", DIGITS, sorted_labels,
        ("inconsistent_labels", "not_learning", "overfitting"),
        partial(sorted_labels, LitClassifier),
    ),
    Case(
        "digits-loss-of-wrong-sign", DIGITS, partial(sorted_labels, Ascent),
        ("inconsistent_labels", "exploding_gradient", "learning_rate_too_high", "not_learning"),
        partial(sorted_labels, Descent),
    ),
    Case(
        "digits-labels-mostly-random", DIGITS, contradictory,
        ("inconsistent_labels", "not_learning", "overfitting"),
        partial(contradictory, 0.0),
    ),
    Case(
        "clouds-rare-class", Goal("balanced accuracy", at_least=0.65), rare_class,
        ("class_imbalance",), partial(rare_class, 40.0), fast=True,
    ),
    Case(
        "digits-long-tail", Goal("balanced accuracy", at_least=0.6), long_tail,
        ("class_imbalance",), partial(long_tail, True),
    ),
    Case(
        "digits-sorted-batches", DIGITS, sorted_batches,
        ("unstable_loss", "covariate_shift", "class_imbalance"),
        partial(sorted_batches, True), fast=True,
    ),
    Case(
        "clusters-softmax-twice", DIGITS, softmax_twice, ("output_loss_mismatch",),
        partial(softmax_twice, softmax=False),
    ),
    Case(
        "moons-sigmoid-twice", DIGITS, sigmoid_twice, ("output_loss_mismatch",),
        partial(sigmoid_twice, False),
    ),
    Case(
        "moons-softmax-of-one-output", DIGITS, one_output,
        ("output_loss_mismatch", "not_learning"), partial(one_output, OneLogit), fast=True,
    ),
)  # fmt: skip
