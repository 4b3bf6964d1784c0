"""Models of the letters of a manual that do not come to read."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import corpora
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import Optimizer, adam, sgd
from scores import outputs
from torch import Tensor, nn


class ManualLSTM(LightningModule):
    """The next letter of a manual."""

    def __init__(self, width: int, layers: int, dropout: float, optimizer: Optimizer) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.encoder, self.drop = nn.Embedding(27, width), nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.rnn = nn.LSTM(width, width, layers, batch_first=True, dropout=between)
        self.decoder = nn.Linear(width, 27)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.drop(self.encoder(x)))
        logits: Tensor = self.decoder(self.drop(states))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())
        self.log("val/loss", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def pages(letters: int, length: int = 35) -> Samples:
    """The first so many letters to train on; ten thousand from elsewhere to measure on."""

    def rows(first: int, count: int) -> tuple[Tensor, Tensor]:
        text = corpora.manual_letters(first, count // length * length + 1)
        return text[:-1].view(-1, length), text[1:].view(-1, length)

    return Samples(*rows(0, letters), *rows(200_000, 10_000))


def letter_loss(module: LightningModule, data: Samples) -> float:
    logits = outputs(module, data.x_test)
    return F.cross_entropy(logits.flatten(0, 1), data.y_test.flatten()).item()


def manual(module: LightningModule, letters: int, epochs: int, **trainer: Any) -> Program:
    data = pages(letters)
    return Program(
        module, *loaders(data, 20), epochs, partial(letter_loss, module, data), trainer
    )  # fmt: skip


def classic(**trainer: Any) -> Program:
    """The rate of an old example that clips its gradients."""
    return manual(ManualLSTM(64, 2, 0.2, sgd(20.0)), 60_000, 6, **trainer)


def decayed(optimizer: Optimizer) -> Program:
    """The decay that is usual with AdamW."""
    return manual(ManualLSTM(96, 2, 0.1, optimizer), 60_000, 3)


MANUAL = Goal("cross-entropy", at_most=2.2)
CASES = (
    Case(
        "manual-rate-of-twenty-unclipped", MANUAL, classic,
        ("exploding_gradient", "learning_rate_too_high", "non_finite", "unstable_loss"),
        partial(classic, gradient_clip_val=0.25),
    ),
    Case(
        "manual-few-pages-by-heart", MANUAL,
        lambda: manual(ManualLSTM(128, 1, 0.0, adam(5e-3)), 9_000, 30), ("overfitting",),
        lambda: manual(ManualLSTM(128, 1, 0.3, adam(5e-3)), 60_000, 3),
    ),
    Case(
        "manual-decay-of-large-models-in-adam", MANUAL,
        partial(decayed, adam(5e-3, weight_decay=0.1)), ("over_regularized", "not_learning"),
        partial(decayed, partial(torch.optim.AdamW, lr=5e-3, weight_decay=0.1)),
    ),
)  # fmt: skip
