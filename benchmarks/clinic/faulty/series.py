"""Signals and forecasts: the sun, the weather, hearts and bursts, with what goes wrong there."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import corpora
from data_sets.samples import Samples, loaders, waves
from lightning.pytorch import LightningModule
from modules import adam
from programs import classification
from scores import balanced_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Plant(LightningModule):
    """The next twelve hours of a solar plant from a day and the clock."""

    def __init__(self, criterion: Callable[[Tensor, Tensor], Tensor], positive: bool) -> None:
        super().__init__()
        self.criterion = criterion
        self.encoder = nn.LSTM(3, 48, batch_first=True)
        self.head = nn.Linear(48, 12)
        self.out = nn.ReLU() if positive else nn.Identity()

    def forward(self, history: Tensor) -> Tensor:
        _, (state, _) = self.encoder(history)
        hours: Tensor = self.out(self.head(state[0]))
        return hours

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        history, future = batch
        loss = self.criterion(self(history), future)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        history, future = batch
        self.log("val_mae", F.l1_loss(self(history), future))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def percentage_error(forecast: Tensor, actual: Tensor) -> Tensor:
    return ((actual - forecast).abs() / actual.abs()).mean()


def weighted_percentage_error(forecast: Tensor, actual: Tensor) -> Tensor:
    return (actual - forecast).abs().sum() / actual.abs().sum()


def plant(
    criterion: Callable[[Tensor, Tensor], Tensor] = F.mse_loss, positive: bool = False
) -> Program:
    data = corpora.sunshine()
    module = Plant(criterion, positive)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


def front_finder() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(3, 24, 5, stride=2), nn.ReLU(), nn.Conv1d(24, 32, 5, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 9, 32), nn.ReLU(), nn.Linear(32, 3),
    )  # fmt: skip


def scaled_channels(data: Samples) -> Samples:
    """Each channel by the mean and the deviation of all its hours."""
    mean, deviation = data.x.mean((0, 2), keepdim=True), data.x.std((0, 2), keepdim=True)
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


def fronts(prepare: Callable[[Samples], Samples] = lambda data: data) -> Program:
    """Kelvins, pascals and metres per second as the station has written them."""
    return classification(prepare(corpora.weather()), front_finder(), adam(1e-3), epochs=12)


class BeatNet(LightningModule):
    """Is a heart beat premature? Few are."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 7, 2, 3), nn.BatchNorm1d(16), nn.ReLU(),
            nn.Conv1d(16, 32, 7, 2, 3), nn.BatchNorm1d(32), nn.ReLU(), nn.AdaptiveAvgPool1d(4),
        )  # fmt: skip
        self.classifier = nn.Linear(128, 2)

    def forward(self, beat: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(beat).flatten(1))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch["beat"])
        loss = F.cross_entropy(logits, batch["label"], self.weight)
        self.log("train/accuracy", (logits.argmax(1) == batch["label"]).float().mean())
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def hearts(weighted: bool = False) -> Program:
    data = corpora.beats(0.02, 5000)
    weight = len(data.y) / (2.0 * data.y.bincount()) if weighted else None
    module = BeatNet(weight)
    items = [{"beat": x, "label": y} for x, y in zip(data.x, data.y, strict=True)]
    train = DataLoader(items, 64, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, None, 6, partial(balanced_accuracy, module, data))


class Bursts(LightningModule):
    """Which bursts follow each other, by CTC; its loss wants logarithms of probabilities."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 32, 5, stride=2, padding=2)
        self.rnn = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.fc, self.last = nn.Linear(64, 5), last

    def forward(self, signal: Tensor) -> Tensor:
        states, _ = self.rnn(F.relu(self.conv(signal.mT)).mT)
        found: Tensor = self.last(self.fc(states))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signal, kinds, number = batch
        output = self(signal).transpose(0, 1)
        steps = torch.full((len(signal),), len(output))
        loss = F.ctc_loss(output, kinds, steps, number, zero_infinity=True)
        self.log("ctc", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def spelled(output: Tensor) -> list[int]:
    """The likeliest of each step, without repeats and blanks."""
    return [k for k in output.argmax(1).unique_consecutive().tolist() if k]


def bursts(last: nn.Module | None = None) -> Program:
    x, kinds, number = corpora.bursts()
    module = Bursts(last or nn.Softmax(-1))
    train = TensorDataset(x[:900], kinds[:900], number[:900])

    @torch.no_grad()
    def score() -> float:
        found = [spelled(output) for output in module.eval()(x[900:])]
        true = [row[:n].tolist() for row, n in zip(kinds[900:], number[900:].tolist(), strict=True)]
        return sum(map(list.__eq__, found, true)) / len(true)

    return Program(module, DataLoader(train, 32, shuffle=True), None, 10, score)


class NormedCell(nn.Module):
    """A recurrent layer with normalised inputs; the statistics may be each step's own."""

    def __init__(self, features: int, width: int, norms: int) -> None:
        super().__init__()
        self.enter, self.stay = nn.Linear(features, width), nn.Linear(width, width, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(norms))
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), self.stay.in_features)
        for t in range(x.shape[1]):
            norm = self.norms[min(t, len(self.norms) - 1)]
            h = torch.tanh(norm(self.enter(x[:, t])) + self.stay(h))
        logits: Tensor = self.head(h)
        return logits


def chirps() -> Samples:
    """Waves of four frequencies that start softly and grow loud."""
    data = waves()
    loud = torch.linspace(-4, 2, data.x.shape[1]).exp()[:, None]
    return data.with_inputs(loud * data.x, loud * data.x_test)


def normed(norms: int = 1) -> Program:
    return classification(
        chirps(), NormedCell(1, 32, norms), adam(3e-3), batch_size=40, epochs=20,
        trainer={"gradient_clip_val": 0.5},
    )  # fmt: skip


SUN = Goal("R2", at_least=0.85)
CASES = (
    Case(
        "sunshine-percentage-error-at-night", SUN, partial(plant, percentage_error),
        ("non_finite",), partial(plant, weighted_percentage_error),
    ),
    Case(
        "sunshine-hours-never-forecast", SUN, partial(plant, positive=True),
        ("dead_relu", "output_loss_mismatch", "dormant_units"), plant,
    ),
    Case(
        "weather-in-pascals", Goal("accuracy", at_least=0.85), fronts, ("unnormalized_input",),
        partial(fronts, scaled_channels),
    ),
    Case(
        "beats-few-are-premature", Goal("balanced accuracy", at_least=0.85), hearts,
        ("class_imbalance",), partial(hearts, True),
    ),
    Case(
        "bursts-probabilities-into-ctc", Goal("all right", at_least=0.8), bursts,
        ("output_loss_mismatch", "not_learning"), lambda: bursts(nn.LogSoftmax(-1)),
    ),
    Case(
        "waves-growing-loud-norm-shared-by-steps", Goal("accuracy", at_least=0.7), normed,
        ("train_eval_mismatch",), partial(normed, 24),
    ),
)  # fmt: skip
