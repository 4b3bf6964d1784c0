"""Recurrent networks: gradients through time, steps, and words that say nothing."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples
from lightning.pytorch import LightningModule
from modules import Optimizer, adam, sgd
from scores import accuracy, balanced_accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader


@dataclass
class Sequences:
    """A batch."""

    values: Tensor
    labels: Tensor


def collate(items: list[tuple[Tensor, Tensor]]) -> Sequences:
    values, labels = zip(*items, strict=True)
    return Sequences(torch.stack(values), torch.stack(labels))


class SequenceTagger(LightningModule):
    """A recurrent layer whose last output is classified; batches are dataclasses."""

    def __init__(self, rnn: nn.Module, classes: int, optimizer: Optimizer) -> None:
        super().__init__()
        self.rnn, self.make_optimizer = rnn, optimizer
        self.head = nn.Linear(rnn.hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        logits: Tensor = self.head(states[:, -1])
        return logits

    def training_step(self, batch: Sequences, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch.values)
        loss = F.cross_entropy(logits, batch.labels)
        self.log("ce", loss, batch_size=len(batch.labels))
        return {"loss": loss, "logits": logits.detach()}

    def validation_step(self, batch: Sequences, batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch.values), batch.labels)
        self.log("ce_val", loss, batch_size=len(batch.labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.parameters())


def sequence_program(
    data: Samples, rnn: nn.Module, optimizer: Optimizer, epochs: int = 10, **trainer: Any
) -> Program:
    model = SequenceTagger(rnn, int(data.y.max()) + 1, optimizer)
    pairs = list(zip(data.x, data.y, strict=True))
    unseen = list(zip(data.x_test, data.y_test, strict=True))
    train = DataLoader(pairs, 32, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    val = DataLoader(unseen, 128, collate_fn=collate)  # type: ignore[arg-type]
    return Program(model, train, val, epochs, partial(accuracy, model, data), trainer)


class Elman(nn.Module):
    """A recurrent layer as it was written in 1990, with a sigmoid."""

    def __init__(self, features: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.inward, self.onward = (
            nn.Linear(features, hidden_size),
            nn.Linear(hidden_size, hidden_size),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        state = x.new_zeros(len(x), self.hidden_size)
        for step in x.unbind(1):
            state = torch.sigmoid(self.inward(step) + self.onward(state))
        return state[:, None], state


def forgetful(gated: bool = False) -> Program:
    """Only the first of forty steps tells the class."""
    rnn: nn.Module = Elman(2, 32)
    if gated:
        rnn = nn.GRU(2, 32, batch_first=True)
        nn.init.constant_(rnn.bias_ih_l0[32:64], 3.0)
    return sequence_program(samples.recall(40), rnn, adam(3e-3), 8)


def recurrent_weights(scale: float, nonlinearity: str) -> nn.RNN:
    rnn = nn.RNN(1, 48, nonlinearity=nonlinearity, batch_first=True)
    nn.init.orthogonal_(rnn.weight_hh_l0, gain=scale)
    return rnn


def growing_states(scale: float = 2.0, **trainer: Any) -> Program:
    rnn = recurrent_weights(scale, "relu")
    return sequence_program(samples.waves(), rnn, adam(2e-3), **trainer)


def chaotic_states(scale: float = 4.0, **trainer: Any) -> Program:
    rnn = recurrent_weights(scale, "tanh")
    return sequence_program(samples.waves(), rnn, adam(2e-3), **trainer)


def lstm(optimizer: Optimizer) -> Program:
    return sequence_program(samples.waves(), nn.LSTM(1, 32, batch_first=True), optimizer, 12)


class TextGRU(LightningModule):
    """Word numbers through an embedding and a GRU."""

    def __init__(self, words: int = 100, unknown: bool = False, weight: Tensor | None = None):
        super().__init__()
        self.embed = nn.Embedding(words, 24)
        self.gru = nn.GRU(24, 32, batch_first=True)
        self.out = nn.Linear(32, 4)
        self.unknown, self.weight = unknown, weight

    def forward(self, tokens: Tensor) -> Tensor:
        if self.unknown:
            tokens = torch.where(tokens < 1000, torch.zeros_like(tokens), tokens)
        hidden, _ = self.gru(self.embed(tokens))
        logits: Tensor = self.out(hidden.mean(dim=1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, topic = batch
        return F.cross_entropy(self(tokens), topic, weight=self.weight)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def topics(data: Samples, score: Any = accuracy, epochs: int = 8, **model: Any) -> Program:
    module = TextGRU(**model)
    train, _ = samples.loaders(data, 32)
    return Program(module, train, None, epochs, partial(score, module, data))


def unknown_words(unknown: bool = True) -> Program:
    """A vocabulary that knows no word of the texts."""
    return topics(samples.texts(), unknown=unknown)


def rare_topics(weighted: bool = False) -> Program:
    """One topic makes up nearly all of the texts."""
    data = samples.texts(12, 100, 4000)
    kept = torch.cat([torch.where(data.y == k)[0][: 700 if k == 0 else 12] for k in range(4)])
    data = data._replace(x=data.x[kept], y=data.y[kept])
    weight = 1 / data.y.bincount() if weighted else None
    return topics(data, balanced_accuracy, 4 if not weighted else 12, weight=weight)


WAVES = Goal("accuracy", at_least=0.9)
CASES = (
    Case(
        "recall-forgetful-rnn", Goal("accuracy", at_least=0.9), forgetful,
        ("vanishing_gradient", "not_learning"), partial(forgetful, True),
    ),
    Case(
        "waves-growing-relu-states", WAVES, growing_states,
        ("exploding_gradient", "poor_initialization", "learning_rate_too_high", "non_finite"),
        partial(growing_states, 0.9, gradient_clip_val=1.0),
    ),
    Case(
        "waves-chaotic-tanh-states", Goal("accuracy", at_least=0.7), chaotic_states,
        ("exploding_gradient", "poor_initialization", "saturated_activation"),
        partial(chaotic_states, 0.9, gradient_clip_val=1.0),
    ),
    Case(
        "waves-lstm-large-steps", WAVES, partial(lstm, partial(torch.optim.RMSprop, lr=0.3)),
        ("learning_rate_too_high", "unstable_loss"), partial(lstm, adam(5e-3)),
    ),
    Case(
        "waves-lstm-small-steps", WAVES, partial(lstm, sgd(1e-3)), ("learning_rate_too_low",),
        partial(lstm, adam(5e-3)),
    ),
    Case(
        "topics-unknown-words", Goal("accuracy", at_least=0.85), unknown_words,
        ("not_learning", "inconsistent_labels"), partial(unknown_words, False),
    ),
    Case(
        "topics-rare", Goal("balanced accuracy", at_least=0.6), rare_topics, ("class_imbalance",),
        partial(rare_topics, True),
    ),
)  # fmt: skip
