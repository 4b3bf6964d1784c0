"""A harbour's models of tides, bearings, gestures and orders that went wrong."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import harbour
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, Optimizer, RegressionTask, adam, sgd
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class OrderReader(nn.Module):
    """Words with their places through an encoder; the first place is read."""

    def __init__(self, width: int = 32, layers: int = 2, outputs: int = 2) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30, width), nn.Embedding(17, width)
        self.start = nn.Parameter(torch.zeros(1, 1, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, outputs)

    def forward(self, words: Tensor) -> Tensor:
        found = torch.cat([self.start.expand(len(words), -1, -1), self.words(words)], 1)
        found = self.encoder(found + self.places.weight)
        logits: Tensor = self.head(found[:, 0])
        return logits


def orders_in_leaps(lr: float) -> Program:
    data, module = harbour.orders(), LitClassifier(OrderReader(), adam(lr))
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class WearGRU(nn.Module):
    """What is left of a bearing, by the last state."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(2, width, batch_first=True)
        self.hours = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.hours(self.gru(x)[1][0])
        return out


def bearings(data: Samples, optimizer: Optimizer, epochs: int = 14) -> Program:
    module = RegressionTask(WearGRU(), optimizer)
    return Program(module, *loaders(data, 32), epochs, partial(r2, module, data))


class FirstOrSecond(LightningModule):
    """A bidirectional LSTM with one output and binary cross-entropy."""

    def __init__(self, sigmoid: bool) -> None:
        super().__init__()
        self.sigmoid = sigmoid
        self.embedding = nn.Embedding(30, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True, bidirectional=True)
        self.fc1, self.fc2 = nn.Linear(64, 32), nn.Linear(32, 1)
        self.loss_fn = nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(self.embedding(x))
        out = self.fc2(F.relu(self.fc1(torch.cat([hidden[0], hidden[1]], 1))))
        return torch.sigmoid(out) if self.sigmoid else out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss_fn(self(x), y.float().unsqueeze(1))
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y.float().unsqueeze(1)), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def first_or_second(sigmoid: bool) -> Program:
    data, module = harbour.orders(), FirstOrSecond(sigmoid)

    @torch.no_grad()
    def log_loss() -> float:
        return module.loss_fn(module.eval()(data.x_test)[:, 0], data.y_test.float()).item()

    return Program(module, *loaders(data, 32), 14, log_loss)


class TideTracker(LightningModule):
    """The next level at every hour of records of unlike lengths; root of mean squares."""

    def __init__(self, masked_before: bool) -> None:
        super().__init__()
        self.masked_before = masked_before
        self.rnn = nn.LSTM(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.rnn(x[..., None])[0])[..., 0]
        return found

    def error(self, batch: Any) -> Tensor:
        x, y, mask = batch
        squares = (self(x) - y) ** 2
        if self.masked_before:
            return ((squares * mask).sqrt().sum(1) / mask.sum(1)).mean()
        return ((squares * mask).sum(1) / mask.sum(1)).sqrt().mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.error(batch)
        self.log("rmse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_rmse", self.error(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def padded(rows: Tensor) -> TensorDataset:
    lengths = torch.randint(15, 36, (len(rows), 1), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(rows.shape[1] - 1) < lengths).float()
    return TensorDataset(rows[:, :-1] * mask, rows[:, 1:] * mask, mask)


def tides_of_unlike_lengths(masked_before: bool) -> Program:
    data, module = harbour.tides(), TideTracker(masked_before)
    train, test = padded(data.x), padded(data.x_test)

    @torch.no_grad()
    def score() -> float:
        x, y, mask = test.tensors
        return ((module.eval()(x) - y) * mask).square().sum().div(mask.sum()).sqrt().item()

    both = DataLoader(train, 32, shuffle=True), DataLoader(test, 128)
    return Program(module, *both, 8, score, {"gradient_clip_val": 5.0})


RIGHT, EXPLAINED = Goal("accuracy", at_least=0.9), Goal("R2", at_least=0.8)
CASES = (
    Case(
        "orders-encoder-of-two-hundredths", RIGHT, partial(orders_in_leaps, 2e-2),
        ("learning_rate_too_high", "not_learning", "dead_relu"), partial(orders_in_leaps, 1e-3),
    ),
    Case(
        "bearings-gru-too-careful-descent", EXPLAINED,
        partial(bearings, harbour.bearings(), sgd(3e-4)), ("learning_rate_too_low",),
        partial(bearings, harbour.bearings(), adam(3e-3)),
    ),
    Case(
        "bearings-gru-decay-of-a-tenth-in-adam", EXPLAINED,
        partial(bearings, harbour.bearings(), adam(3e-3, weight_decay=0.1)),
        ("over_regularized",),
        partial(bearings, harbour.bearings(), adam(3e-3, weight_decay=1e-5)),
    ),
    Case(
        "orders-lstm-sigmoid-before-its-loss", Goal("log loss", at_most=0.25),
        partial(first_or_second, True), ("output_loss_mismatch",),
        partial(first_or_second, False),
    ),
    Case(
        "tides-root-over-padding", Goal("RMSE", at_most=0.25),
        partial(tides_of_unlike_lengths, True), ("non_finite",),
        partial(tides_of_unlike_lengths, False),
    ),
)  # fmt: skip
