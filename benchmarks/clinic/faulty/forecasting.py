"""Forecasts of an hourly load, and a text of letters, that go wrong."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import Optimizer, adam, sgd
from scores import outputs, r2
from torch import Tensor, nn

LOADS = Goal("R2", at_least=0.9)


class Forecaster(LightningModule):
    """The next hour from a day of hours."""

    def __init__(self, body: nn.Module, optimizer: Optimizer) -> None:
        super().__init__()
        self.body, self.optimizer = body, optimizer

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.body(x)
        return found

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(prediction, target)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.error(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.error(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def forecast(
    body: nn.Module, optimizer: Optimizer, data: Samples | None = None, epochs: int = 10,
    module: type[Forecaster] = Forecaster,
) -> Program:  # fmt: skip
    data = data or surveys.scaled_loads()
    lightning = module(body, optimizer)
    return Program(lightning, *loaders(data, 32), epochs, partial(r2, lightning, data))


class OwnLSTM(nn.Module):
    """An LSTM written out, as in a seminar."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.w = nn.Parameter(scale * torch.randn(1, 4 * width))
        self.u = nn.Parameter(scale * torch.randn(width, 4 * width))
        self.b = nn.Parameter(torch.zeros(4 * width))
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(len(x), self.u.shape[0])
        for t in range(x.shape[1]):
            i, f, g, o = (x[:, t] @ self.w + h @ self.u + self.b).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        found: Tensor = self.head(h)
        return found[:, 0]


def unscaled_lstm(scale: float = 1.0) -> Program:
    return forecast(OwnLSTM(48, scale), adam(3e-3))


class Residual(nn.Module):
    """Adds to its state at each hour, and nothing keeps the state in bounds."""

    def __init__(self, width: int = 32, leak: float = 1.0) -> None:
        super().__init__()
        self.enter, self.change = nn.Linear(1, width), nn.Linear(width, width)
        self.head, self.leak = nn.Linear(width, 1), leak

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 32)
        for t in range(x.shape[1]):
            h = h + self.leak * F.relu(self.change(h) + self.enter(x[:, t]))
        found: Tensor = self.head(h)
        return found.squeeze(1)


class Bounded(Residual):
    """The same with a state that forgets and a tanh."""

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(len(x), 32)
        for t in range(x.shape[1]):
            h = 0.5 * h + 0.5 * torch.tanh(self.change(h) + self.enter(x[:, t]))
        found: Tensor = self.head(h)
        return found.squeeze(1)


def residual(body: type[nn.Module] = Residual, lr: float = 0.01) -> Program:
    return forecast(body(), sgd(lr, 0.9))


class Gated(nn.Module):
    """A GRU and a dense layer on its last state."""

    def __init__(self, column: bool = False) -> None:
        super().__init__()
        self.gru, self.fc = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)
        self.column = column

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x)
        found: Tensor = self.fc(states[:, -1])
        return found if self.column else found[:, 0]


def megawatts(scaled: bool = False) -> Program:
    """The target is scaled, the inputs are not."""
    data = surveys.scaled_loads()
    raw = surveys.loads()
    return forecast(Gated(), adam(3e-3), data if scaled else data.with_inputs(raw.x, raw.x_test))


class OwnHuber(Forecaster):
    """A robust loss by hand, which takes any two shapes."""

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        distance = torch.abs(prediction - target)
        return torch.where(distance < 1, 0.5 * distance**2, distance - 0.5).mean()


def columns(column: bool = False) -> Program:
    """The targets are a column, the predictions are a vector."""
    data = surveys.scaled_loads()
    data = data._replace(y=data.y[:, None], y_test=data.y_test[:, None])
    return forecast(Gated(column), adam(3e-3), data, module=OwnHuber)


class Reader(LightningModule):
    """A language model on letters."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(27, 16), nn.LSTM(16, 48, batch_first=True)
        self.out = nn.Linear(48, 27)
        self.lr = lr

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(x))
        logits: Tensor = self.out(states)
        return logits

    def nll(self, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("train/nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def letter_loss(module: LightningModule, data: Samples) -> float:
    found = outputs(module, data.x_test)
    return F.cross_entropy(found.flatten(0, 1), data.y_test.flatten()).item()


class AdamReader(Reader):
    """The same with Adam."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def reader(lr: float, module: type[Reader] = AdamReader) -> Program:
    data = surveys.letters()
    model = module(lr)
    return Program(model, *loaders(data, 32), 10, partial(letter_loss, model, data))


LETTERS = Goal("cross-entropy", at_most=0.9)
CASES = (
    Case(
        "loads-lstm-of-unscaled-weights", LOADS, unscaled_lstm,
        ("poor_initialization", "saturated_activation", "exploding_gradient"),
        partial(unscaled_lstm, 0.15),
    ),
    Case(
        "loads-unbounded-states", LOADS, residual,
        ("exploding_gradient", "learning_rate_too_high", "non_finite", "poor_initialization"),
        partial(residual, Bounded, 0.05),
    ),
    Case(
        "loads-in-megawatts-into-gru", LOADS, megawatts,
        ("unnormalized_input", "saturated_activation"), partial(megawatts, True),
    ),
    Case(
        "loads-own-huber-broadcast", LOADS, columns, ("output_loss_mismatch",),
        partial(columns, True),
    ),
    Case(
        "letters-small-steps", LETTERS, partial(reader, 0.01, Reader),
        ("learning_rate_too_low", "not_learning"), partial(reader, 1e-2),
    ),
)  # fmt: skip
