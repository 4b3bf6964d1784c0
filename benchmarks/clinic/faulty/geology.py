"""The scripts of an earth science lab: well logs, quakes, gravity and core plugs."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import geology
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class TravelTime(LightningModule):
    """Rectified states that begin as a sum over the layers: an identity between the steps."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.05)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, layers: Tensor) -> Tensor:
        states, _ = self.rnn(layers)
        time: Tensor = self.readout(states[:, -1]).squeeze(1)
        return time

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        layers, time = batch
        loss = F.mse_loss(self(layers), time)
        self.log("train_mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-3, momentum=0.9)


def travel_times(clip: float | None) -> Program:
    data, module = geology.layered(), TravelTime()
    trainer = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data), trainer)


class FaciesTagger(LightningModule):
    """A facies for every depth, by LSTMs on top of one another."""

    def __init__(self, num_layers: int, hidden: int = 32) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lstm = nn.LSTM(5, hidden, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden, geology.FACIES)

    def forward(self, logs: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.lstm(logs)[0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logs, facies = batch
        loss = F.cross_entropy(self(logs).flatten(0, 1), facies.flatten())
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits.flatten(0, 1), batch[1].flatten()))
        self.log("val/acc", (logits.argmax(-1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def stacked(num_layers: int) -> Program:
    data, module = geology.wells(), FaciesTagger(num_layers)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data), trainer)


def wavelets(unit: bool, length: int = 41, count: int = 16) -> Tensor:
    """Sines under a bell from short to long, to begin with; of length 1, or as they come."""
    time = torch.arange(length) - length // 2
    period = torch.linspace(5, 20, count)[:, None]
    phase = torch.arange(count)[:, None] % 2 * math.pi / 2
    found = (-((time / period) ** 2)).exp() * (2 * math.pi * time / period + phase).cos()
    found = found / found.norm(dim=1, keepdim=True) if unit else period.sqrt() * found
    return found[:, None]


class BlastNet(LightningModule):
    """Blast or quake: learnt wavelets in front, then two convolutions with tanh."""

    def __init__(self, unit: bool) -> None:
        super().__init__()
        self.front = nn.Conv1d(1, 16, 41, padding=20)
        self.front.weight.data = wavelets(unit)
        self.body = nn.Sequential(
            nn.Tanh(), nn.AvgPool1d(2),
            nn.Conv1d(16, 24, 7, stride=2, padding=3), nn.Tanh(),
            nn.Conv1d(24, 24, 7, stride=2, padding=3), nn.Tanh(),
            nn.Flatten(), nn.Linear(24 * 20, 2),
        )  # fmt: skip

    def forward(self, trace: Tensor) -> Tensor:
        logits: Tensor = self.body(self.front(trace))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        trace, kind = batch
        loss = F.cross_entropy(self(trace), kind)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def blasts(unit: bool) -> Program:
    data, module = geology.blasts(), BlastNet(unit)
    return Program(module, *loaders(data, 32), 7, partial(accuracy, module, data))


class Sine(nn.Module):
    """A layer of a coordinate network; ``scaled`` draws it as its authors say."""

    def __init__(self, before: int, after: int, scaled: bool, omega: float = 30.0) -> None:
        super().__init__()
        self.omega, self.linear = omega, nn.Linear(before, after)
        bound = math.sqrt(6 / before) / omega if before > 2 else 1 / before
        if scaled:
            nn.init.uniform_(self.linear.weight, -bound, bound)
        else:
            nn.init.kaiming_uniform_(self.linear.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega * self.linear(x))


class GravityField(LightningModule):
    """The anomaly as a function of the place, to interpolate between the stations."""

    def __init__(self, scaled: bool, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Sine(2, width, scaled), Sine(width, width, scaled), Sine(width, width, scaled),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, place: Tensor) -> Tensor:
        anomaly: Tensor = self.layers(place).squeeze(1)
        return anomaly

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-4)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)]


def gravity(scaled: bool) -> Program:
    data, module = geology.gravity(), GravityField(scaled)
    return Program(module, *loaders(data, 64), 25, partial(r2, module, data))


class Locator(LightningModule):
    """Where a quake was: every station is encoded, weighed by a softmax, and summed."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.encoder = mlp([3, width, width], nn.ReLU).append(nn.ReLU())
        self.weigh = nn.Linear(width, 4)
        self.head = mlp([4 * width, width, 2], nn.ReLU)

    def forward(self, picks: Tensor) -> Tensor:
        codes = self.encoder(picks)
        weights = self.weigh(codes).softmax(1)
        place: Tensor = self.head((weights.transpose(1, 2) @ codes).flatten(1))
        return place

    def loss(self, batch: list[Tensor]) -> Tensor:
        return F.smooth_l1_loss(self(batch[0]), batch[1])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))
        away = 20 * (self(batch[0]) - batch[1]).norm(dim=1).mean()
        self.log("val_km", away, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def epicentres(scaled: bool) -> Program:
    data = geology.epicentres()
    if scaled:
        flat = data.with_inputs(data.x.flatten(0, 1), data.x_test.flatten(0, 1))
        flat = standardized(flat)
        data = data.with_inputs(flat.x.view_as(data.x), flat.x_test.view_as(data.x_test))
    module = Locator()
    return Program(module, *loaders(data, 50), 20, partial(r2, module, data))


class LogConvNet(LightningModule):
    """A facies for every depth, from what the logs are within a metre and a half."""

    def __init__(self, channels: int = 48) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(5, channels, 5, padding=2), nn.BatchNorm1d(channels), nn.ReLU(),
            nn.Conv1d(channels, channels, 5, padding=2), nn.BatchNorm1d(channels), nn.ReLU(),
            nn.Dropout(0.2), nn.Conv1d(channels, geology.FACIES, 1),
        )  # fmt: skip

    def forward(self, logs: Tensor) -> Tensor:
        logits: Tensor = self.net(logs.transpose(1, 2)).transpose(1, 2)
        return logits

    def shared_step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logits = self(batch["logs"])
        loss = F.cross_entropy(logits.flatten(0, 1), batch["facies"].flatten())
        right = (logits.argmax(-1) == batch["facies"]).float().mean()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_acc": right})
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def named_batch(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    logs, facies = zip(*rows, strict=True)
    return {"logs": torch.stack(logs), "facies": torch.stack(facies)}


def described(upwards: bool) -> Program:
    """The validation is of the same wells' table; the score is by facies that were checked."""
    data, module = geology.wells(upwards), LogConvNet()
    rows = TensorDataset(data.x, data.y)
    at = len(rows) * 4 // 5
    train = DataLoader(
        torch.utils.data.Subset(rows, range(at)), 16, shuffle=True, collate_fn=named_batch
    )
    validation = DataLoader(
        torch.utils.data.Subset(rows, range(at, len(rows))), 64, collate_fn=named_batch
    )
    return Program(module, train, validation, 18, partial(accuracy, module, data))


class PorosityNet(LightningModule):
    """Mean and variance of the porosity, by the likelihood of a normal distribution."""

    def __init__(self, dropout: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = mlp([16, 128, 128, 2], nn.ReLU, dropout=dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.net(x).unbind(1)
        return mean, F.softplus(raw) + 1e-3

    def loss(self, batch: list[Tensor]) -> Tensor:
        mean, variance = self(batch[0])
        return F.gaussian_nll_loss(mean, batch[1], variance)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_nll", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=decay)


def plugs(epochs: int, dropout: float, weight_decay: float) -> Program:
    data, module = geology.plugs(), PorosityNet(dropout, weight_decay)

    @torch.no_grad()
    def likelihood() -> float:
        module.eval()
        return module.loss([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 16), epochs, likelihood)


CASES = (
    Case(
        "travel-times-irnn-without-clipping", Goal("R2", at_least=0.75),
        partial(travel_times, None), ("exploding_gradient", "learning_rate_too_high"),
        partial(travel_times, 1.0),
    ),
    Case(
        "facies-six-stacked-lstms", Goal("accuracy", at_least=0.7), partial(stacked, 6),
        ("vanishing_gradient", "not_learning"), partial(stacked, 2),
    ),
    Case(
        "blasts-wavelets-of-any-norm-into-tanh", Goal("accuracy", at_least=0.9),
        partial(blasts, False), ("saturated_activation", "poor_initialization"),
        partial(blasts, True),
    ),
    Case(
        "gravity-sines-drawn-as-for-relu", Goal("R2", at_least=0.85), partial(gravity, False),
        ("poor_initialization",), partial(gravity, True),
    ),
    Case(
        "epicentres-stations-in-utm", Goal("R2", at_least=0.7), partial(epicentres, False),
        ("unnormalized_input",), partial(epicentres, True),
    ),
    Case(
        "facies-logged-upwards-described-downwards", Goal("accuracy", at_least=0.75),
        partial(described, True), ("inconsistent_labels", "not_learning"),
        partial(described, False),
    ),
    Case(
        "plugs-porosity-too-sure-by-heart", Goal("nats", at_most=0.5),
        partial(plugs, 60, 0.0, 0.0), ("overfitting",), partial(plugs, 20, 0.3, 0.1),
    ),
)  # fmt: skip
