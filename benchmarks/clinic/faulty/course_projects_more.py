"""Final projects with rows, words, series, sets and graphs that did not work out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import course_projects as projects
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Letters(LightningModule):
    """Karpathy's network: letters, a recurrent net, the next letter."""

    def __init__(self, gain: float, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(projects.LETTERS), 16)
        self.rnn = nn.RNN(16, width, nonlinearity="relu", batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0, gain)
        self.out = nn.Linear(width, len(projects.LETTERS))

    def forward(self, letters: Tensor) -> Tensor:
        logits: Tensor = self.out(self.rnn(self.embedding(letters))[0])
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (text,) = batch
        logits = self(text[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
        self.log("loss", loss)
        self.log("perplexity", loss.exp())
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def letters(gain: float = 2.2) -> Program:
    """A recurrent matrix with a gain for ReLUs and some more, over 32 letters."""
    train, test = projects.sayings()
    module = Letters(gain)

    def score() -> float:
        found = outputs(module, test[:, :-1])
        return F.cross_entropy(found.flatten(0, 1), test[:, 1:].flatten()).item()

    return Program(module, DataLoader(TensorDataset(train), 32, shuffle=True), None, 12, score)


class Strokes(LightningModule):
    """An LSTM reads a stroke; a small network reads where the LSTM ended."""

    def __init__(self, detach: bool, width: int = 24) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, width, batch_first=True)
        self.head = nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 4))
        self.detach = detach

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(x)
        if self.detach:
            hidden = hidden.detach()
        logits: Tensor = self.head(hidden[-1])
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def strokes(detach: bool = True) -> Program:
    """The state is cut off, as between the windows of a long text."""
    data = projects.gestures()
    module = Strokes(detach)
    return Program(
        module, *loaders(data, 32), 12, partial(accuracy, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


class Bags(LightningModule):
    """DeepSets: each element, their mean, the whole."""

    def __init__(self, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            nn.Linear(2, 32), activation(), nn.Linear(32, 32), activation(), nn.Linear(32, 16)
        )
        self.rho = nn.Sequential(nn.Linear(16, 32), activation(), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.rho(self.phi(x).mean(1))
        return found[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def bags(activation: Callable[[], nn.Module] = nn.Identity) -> Program:
    data = projects.bags()
    module = Bags(activation)
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


class Quantiles(LightningModule):
    """The 10%, 50% and 90% of a price."""

    def __init__(self, positive: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 3)
        )
        self.positive = positive
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return F.relu(found) if self.positive else found

    def pinball(self, batch: Any) -> Tensor:
        x, y = batch
        error = y[:, None] - self(x)
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("train_pinball", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.pinball(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def quantiles(positive: bool = True) -> Program:
    """No price is negative, but standardized ones are."""
    data = projects.houses()
    module = Quantiles(positive)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.pinball((data.x_test, data.y_test)).item()

    return Program(module, *loaders(data, 32), 15, score)


class Bicycles(LightningModule):
    """Poisson regression with a small network."""

    def __init__(self, logarithm: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1)
        )
        self.criterion = nn.PoissonNLLLoss(log_input=logarithm)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_nll", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def bicycles(logarithm: bool = False) -> Program:
    """The loss is told that it gets rates, which may not be negative."""
    data = projects.rentals()
    module = Bicycles(logarithm)
    train, _ = loaders(data, 32)

    def score() -> float:
        found = outputs(module, data.x_test)
        rate = found.exp() if logarithm else found
        return (1 - F.mse_loss(rate, data.y_test) / data.y_test.var()).item()

    return Program(module, train, None, 12, score)


class Verdicts(LightningModule):
    """Words, a GRU in both directions, dropout as in a course of 2017."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.words = nn.Embedding(120, 24)
        self.gru = nn.GRU(24, 20, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(rate)
        self.out = nn.Linear(40, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(self.dropout(self.words(x)))
        logits: Tensor = self.out(self.dropout(states.amax(1)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def verdicts(rate: float = 0.9) -> Program:
    """The share that was to be kept, as TensorFlow had it."""
    data = projects.reviews()
    module = Verdicts(rate)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


CASES = (
    Case(
        "sayings-letter-by-letter", Goal("cross-entropy", at_most=1.1), letters,
        ("exploding_gradient", "poor_initialization"), partial(letters, 1.0),
    ),
    Case(
        "gestures-state-handed-on", Goal("accuracy", at_least=0.9), strokes,
        ("frozen_parameter",), partial(strokes, False),
    ),
    Case(
        "bags-of-points", Goal("R2", at_least=0.75), bags, ("linear_network",),
        partial(bags, nn.ReLU),
    ),
    Case(
        "houses-three-quantiles", Goal("pinball", at_most=0.15), quantiles,
        ("output_loss_mismatch", "dead_relu"), partial(quantiles, False),
    ),
    Case(
        "rentals-of-bicycles", Goal("R2", at_least=0.5), bicycles,
        ("non_finite", "output_loss_mismatch"), partial(bicycles, True),
    ),
    Case(
        "reviews-words-left-out", Goal("accuracy", at_least=0.85), verdicts,
        ("over_regularized",), partial(verdicts, 0.1),
    ),
)  # fmt: skip
