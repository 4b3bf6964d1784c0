"""More of the harbour: ordinary regressions and readers, some with an odd look."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import harbour
from data_sets.samples import loaders, scaled_targets
from lightning.pytorch import LightningModule
from modules import ADAM, RegressionTask, adam, mlp
from programs import classification, regression
from scores import accuracy, r2
from torch import Tensor, nn


def concrete_hurried() -> Program:
    """Adam's rate of a hundredth, which a small net bears well."""
    data = scaled_targets(harbour.concrete())
    return regression(data, mlp([8, 48, 24, 1]), adam(1e-2), batch_size=64, epochs=20)


def concrete_from_a_poor_press() -> Program:
    """The press errs by as much as the strengths differ."""
    data = scaled_targets(harbour.concrete(noise=18.0))
    network = mlp([8, 16, 1], nn.GELU)
    return regression(data, network, adam(2e-3, weight_decay=1e-4), epochs=10, loss=F.huber_loss)


def concrete_normed_within() -> Program:
    """Columns in their units, which the first layer, a batch norm, puts right."""
    data = scaled_targets(harbour.raw_concrete())
    network = nn.Sequential(nn.BatchNorm1d(8), mlp([8, 64, 64, 1], nn.ELU))
    return regression(data, network, adam(2e-3), batch_size=32, epochs=15)


class GestureFilters(nn.Module):
    """Convolutions along the path, then a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Sequential(
            nn.Conv1d(2, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3),
        )  # fmt: skip
        self.gru = nn.GRU(32, 32, batch_first=True)
        self.head = nn.Linear(32, 6)

    def forward(self, path: Tensor) -> Tensor:
        states, _ = self.gru(self.filters(path.mT).mT)
        logits: Tensor = self.head(states[:, -1])
        return logits


def gestures_filtered() -> Program:
    trainer = {"accumulate_grad_batches": 2}
    data = harbour.gestures()
    return classification(
        data, GestureFilters(), adam(3e-3), batch_size=16, epochs=12, trainer=trainer
    )


class LastState(nn.Module):
    """The last state of a recurrent layer, and a line from it."""

    def __init__(self, rnn: nn.Module, outputs: int) -> None:
        super().__init__()
        self.rnn, self.line = rnn, nn.Linear(rnn.hidden_size, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.line(self.rnn(x)[0][:, -1])
        return out


def bearings_by_tanh() -> Program:
    """A plain recurrent layer, begun orthogonally, over forty steps."""
    rnn = nn.RNN(2, 48, batch_first=True)
    nn.init.orthogonal_(rnn.weight_hh_l0)
    data = harbour.bearings()
    module = RegressionTask(LastState(rnn, 1), adam(1e-3))
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data), trainer)


def bearings_by_stacked_lstm() -> Program:
    rnn = nn.LSTM(2, 32, 2, batch_first=True, dropout=0.1)
    data, optimizer = harbour.bearings(), partial(torch.optim.RMSprop, lr=1e-3)
    module = RegressionTask(LastState(rnn, 1), optimizer)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


def tides_in_one_look() -> Program:
    """All hours ahead by a dense net from all hours before."""
    data = harbour.tides()
    network = mlp([36, 64, 64, 8], nn.ReLU)

    class Forecast(RegressionTask):
        def forward(self, features: Tensor) -> Tensor:
            last = features[:, -1:]
            out: Tensor = last + self.backbone(features - last)
            return out

    module = Forecast(network, ADAM)
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


class OneLayerReader(LightningModule):
    """One self-attention without any norm, its largest states read."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30, width), nn.Embedding(16, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, words: Tensor) -> Tensor:
        found = self.words(words) + self.places.weight
        logits: Tensor = self.head((found + self.attention(found, found, found)[0]).amax(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        words, first = batch
        return F.cross_entropy(self(words), first)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        words, first = batch
        self.log("val_acc", (self(words).argmax(1) == first).float().mean())
        self.log("val_loss", F.cross_entropy(self(words), first))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def orders_one_layer() -> Program:
    data, module = harbour.orders(4000), OneLayerReader()
    return Program(module, *loaders(data, 64), 9, partial(accuracy, module, data))


CASES = (
    Case("concrete-hurried-by-adam", Goal("R2", at_least=0.94), concrete_hurried),
    Case("concrete-from-a-poor-press", Goal("R2", at_least=0.42), concrete_from_a_poor_press),
    Case("concrete-in-its-units-normed-within", Goal("R2", at_least=0.93), concrete_normed_within),
    Case("gestures-filtered-then-gru", Goal("accuracy", at_least=0.95), gestures_filtered),
    Case("bearings-plain-recurrent-tanh", Goal("R2", at_least=0.8), bearings_by_tanh),
    Case("bearings-two-lstm-layers-rmsprop", Goal("R2", at_least=0.85), bearings_by_stacked_lstm),
    Case("tides-all-hours-in-one-look", Goal("R2", at_least=0.85), tides_in_one_look),
    Case("orders-one-attention-no-norm", Goal("accuracy", at_least=0.95), orders_one_layer),
)
