"""Programs that fit the training data and nothing else, or not even that."""

from functools import partial
from typing import Any

import samples
import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import classification, regression
from samples import loaders, scaled_targets, standardized
from scores import accuracy, cross_entropy
from torch import Tensor, nn

KEPT = Goal("cross-entropy", at_most=1.5)


def noisy_labels(epochs: int = 80, **network: Any) -> Program:
    """Few digits of which a third has a wrong label, and far more weights than it takes."""
    data = samples.digits().first(200)
    generator = torch.Generator().manual_seed(8)
    wrong = torch.rand(len(data.y), generator=generator) < 0.33
    noise = torch.randint(10, (len(data.y),), generator=generator)
    data = data._replace(y=torch.where(wrong, noise, data.y))
    return classification(
        data, mlp([64, 256, 256, 10], **network), epochs=epochs, score=cross_entropy
    )


def few_patients(hidden: int = 256, epochs: int = 120, decay: float = 0.0) -> Program:
    data = scaled_targets(standardized(samples.diabetes())).first(120)
    network = mlp([10, hidden, hidden, 1])
    return regression(data, network, adam(1e-3, weight_decay=decay), batch_size=16, epochs=epochs)


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


def few_texts(width: int = 128, epochs: int = 60, dropout: float = 0.0) -> Program:
    data = samples.texts().first(120)
    module = BagOfWords(width, dropout, 0.01)
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


class NormNet(nn.Module):
    """Two convolutions, each normalised."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 16, 3, padding=1), norm(16)
        self.conv2, self.norm2 = nn.Conv2d(16, 32, 3, stride=2, padding=1), norm(32)
        self.fc = nn.Linear(32 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return self.fc(x.flatten(1))


def one_class_batches(shuffle: bool = False) -> Program:
    """Batch normalisation over batches that hold one class each, in random order."""
    data = samples.digit_images()
    module = LitClassifier(NormNet(nn.BatchNorm2d), adam(1e-3))
    if shuffle:
        return Program(module, *loaders(data, 16), 5, partial(accuracy, module, data))
    batches = [b for k in range(10) for b in torch.where(data.y == k)[0].split(16)]
    order = torch.randperm(len(batches)).tolist()
    pairs = torch.utils.data.TensorDataset(data.x, data.y)
    train = torch.utils.data.DataLoader(pairs, batch_sampler=[batches[i].tolist() for i in order])
    _, validation = loaders(data, 16)
    return Program(module, train, validation, 5, partial(accuracy, module, data))


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
        "digits-noisy-labels-by-heart", KEPT, noisy_labels,
        ("overfitting", "inconsistent_labels"), partial(noisy_labels, 12, dropout=0.3), fast=True,
    ),
    Case(
        "diabetes-few-patients", Goal("R2", at_least=0.3), few_patients, ("overfitting",),
        partial(few_patients, 16, 40, 0.01),
    ),
    Case(
        "topics-few-texts", Goal("cross-entropy", at_most=0.9), few_texts, ("overfitting",),
        partial(few_texts, 32, 15, 0.3),
    ),
    Case(
        "digits-heavy-decay", DIGITS, partial(decayed_weights, 0.3), ("over_regularized",),
        partial(decayed_weights, 1e-4), fast=True,
    ),
    Case(
        "digits-heavy-dropout", DIGITS, partial(dropped, 0.95), ("over_regularized",),
        partial(dropped, 0.2), fast=True,
    ),
    Case(
        "digits-heavy-lasso", DIGITS, penalized, ("over_regularized", "dormant_units"),
        partial(penalized, GentleLasso),
    ),
    Case(
        "digits-stale-statistics", DIGITS, stale_statistics, ("train_eval_mismatch",),
        partial(stale_statistics, 0.1), fast=True,
    ),
    Case(
        "digit-images-one-class-batches", DIGITS, one_class_batches,
        ("train_eval_mismatch", "unstable_loss", "class_imbalance"),
        partial(one_class_batches, True),
    ),
    Case(
        "digits-scaled-in-training-alone", DIGITS, scaled_once,
        ("train_eval_mismatch", "unnormalized_input"), partial(scaled_once, ScaledInForward),
    ),
)  # fmt: skip
