"""Programs that fit the training data and nothing else, or not even that."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, cross_entropy
from torch import Tensor, nn


def half_random(data: Samples, classes: int, count: int) -> Samples:
    """The first so many samples, every other label at random."""
    data = data.first(count)
    generator = torch.Generator().manual_seed(8)
    wrong = torch.rand(count, generator=generator) < 0.5
    noise = torch.randint(classes, (count,), generator=generator)
    return data._replace(y=torch.where(wrong, noise, data.y))


def noisy_labels(epochs: int = 80) -> Program:
    """Few digits, half of their labels wrong, and far more weights than it takes."""
    data = half_random(samples.digits(), 10, 300)
    return classification(data, mlp([64, 256, 256, 10]), epochs=epochs, score=cross_entropy)


def few_and_noisy(hidden: int = 256, epochs: int = 60, decay: float = 0.0) -> Program:
    """A regression whose noise is as large as what there is to learn."""
    data = scaled_targets(standardized(samples.friedman(4.0))).first(150)
    network, optimizer = mlp([10, hidden, hidden, 1]), adam(2e-3, weight_decay=decay)
    return regression(data, network, optimizer, batch_size=16, epochs=epochs)


class BagOfWords(LightningModule):
    """The mean of the embeddings, and two dense layers."""

    def __init__(self, width: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.embed = nn.EmbeddingBag(100, width)
        self.classify = mlp([width, width, 4], dropout=dropout)
        self.decay = decay

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.embed(tokens))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss_val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=self.decay)


def few_texts(epochs: int = 40, dropout: float = 0.0) -> Program:
    data = half_random(samples.texts(6, 100), 4, 150)
    module = BagOfWords(128, dropout, 0.01)
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


def decayed_weights(decay: float) -> Program:
    optimizer = sgd(0.05, 0.9, weight_decay=decay)
    return classification(samples.digits(), mlp([64, 128, 10]), optimizer)


def dropped(share: float, epochs: int = 8) -> Program:
    return classification(samples.digits(), mlp([64, 128, 128, 10], dropout=share), epochs=epochs)


class Lasso(LitClassifier):
    """A penalty of its own on the absolute values of all weights."""

    strength = 0.03

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        penalty = sum(p.abs().sum() for p in self.network.parameters())
        return F.cross_entropy(self(x), y) + self.strength * penalty


class GentleLasso(Lasso):
    """The same penalty, small enough."""

    strength = 1e-5


def penalized(module: type[LitClassifier] = Lasso) -> Program:
    data = samples.digits()
    model = module(mlp([64, 64, 10]))
    return Program(model, *loaders(data, 32), 8, partial(accuracy, model, data))


def stale_statistics(momentum: float = 1e-4) -> Program:
    """Running averages that never arrive."""
    norm = partial(nn.BatchNorm1d, momentum=momentum)
    data = samples.digits()
    data = data.with_inputs(16 * data.x + 20, 16 * data.x_test + 20)
    network = nn.Sequential(nn.BatchNorm1d(64, momentum=momentum), mlp([64, 64, 64, 10], norm=norm))
    return classification(data, network)


class OwnDropout(nn.Module):
    """Drops most units while it trains, and does not make up for that."""

    def __init__(self, kept: float = 0.2, rescale: bool = False) -> None:
        super().__init__()
        self.kept, self.scale = kept, 1 / kept if rescale else 1.0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return self.scale * x * (torch.rand_like(x) < self.kept)


def own_dropout(rescale: bool = False) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    layers = nn.Linear(10, 128), nn.ReLU(), OwnDropout(0.4, rescale), nn.Linear(128, 1)
    return regression(data, nn.Sequential(*layers), adam(3e-3))


class ScaledInStep(LitClassifier):
    """Scales its inputs in the training step, and forgets to where it predicts."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.criterion(self((x - 8) / 6), y)
        self.log("train_loss", loss)
        return loss


class ScaledInForward(LitClassifier):
    """Scales wherever it predicts."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - 8) / 6)


def scaled_once(module: type[LitClassifier] = ScaledInStep) -> Program:
    data = samples.digits()
    data = data.with_inputs(16 * data.x, 16 * data.x_test)
    model = module(mlp([64, 128, 10], norm=nn.BatchNorm1d), sgd(0.05))
    return Program(model, *loaders(data, 32), 8, partial(accuracy, model, data))


DIGITS = Goal("accuracy", at_least=0.9)
CASES = (
    Case(
        "digits-noisy-labels-by-heart", Goal("cross-entropy", at_most=1.3), noisy_labels,
        ("overfitting", "inconsistent_labels"), partial(noisy_labels, 18),
    ),
    Case(
        "friedman-few-and-noisy", Goal("R2", at_least=0.35), few_and_noisy, ("overfitting",),
        partial(few_and_noisy, 16, 25, 0.01),
    ),
    Case(
        "topics-noisy-texts-by-heart", Goal("cross-entropy", at_most=1.25), few_texts,
        ("overfitting", "inconsistent_labels"), partial(few_texts, 5, 0.3),
    ),
    Case(
        "digits-heavy-decay", DIGITS, partial(decayed_weights, 0.3),
        ("over_regularized", "dormant_units"),
        partial(decayed_weights, 1e-4), fast=True,
    ),
    Case(
        "digits-heavy-dropout", DIGITS, partial(dropped, 0.95), ("over_regularized",),
        partial(dropped, 0.2),
    ),
    Case(
        "digits-heavy-lasso", DIGITS, penalized, ("over_regularized", "dormant_units"),
        partial(penalized, GentleLasso),
    ),
    Case(
        "digits-stale-statistics", DIGITS, stale_statistics, ("train_eval_mismatch",),
        partial(stale_statistics, 0.1),
    ),
    Case(
        "friedman-own-dropout", Goal("R2", at_least=0.6), own_dropout, ("train_eval_mismatch",),
        partial(own_dropout, True),
    ),
    Case(
        "digits-scaled-in-training-alone", DIGITS, scaled_once,
        ("train_eval_mismatch", "unnormalized_input"), partial(scaled_once, ScaledInForward),
    ),
)  # fmt: skip
