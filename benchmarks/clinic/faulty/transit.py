"""Nets on delays, loads and tickets of buses and trains, each with one mistake."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import transit
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset, sgd
from programs import classification, regression
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class ReturnZone(LightningModule):
    """A cell that is called for each tap of a card; the last state tells the zone."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.cell = nn.GRUCell(transit.ZONES + 2, 48)
        self.out = nn.Linear(48, transit.ZONES)

    def forward(self, taps: Tensor) -> Tensor:
        h = taps.new_zeros(len(taps), 48)
        for tap in taps.unbind(1):
            h = self.cell(tap, h.detach() if self.hparams["cut"] else h)
        logits: Tensor = self.out(h)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        taps, zone = batch
        loss = F.cross_entropy(self(taps), zone)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def return_zone(cut: bool) -> Program:
    """The state is detached as between batches, but at each tap."""
    data, module = transit.journeys(), ReturnZone(cut)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class TerminusDelay(LightningModule):
    """Convolutions over the stops of a run; the rate falls by a twentieth each epoch."""

    def __init__(self, lr: float, rate_itself: bool) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(
            nn.Conv1d(2, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 48, 5, padding=2), nn.BatchNorm1d(48), nn.ReLU(), nn.MaxPool1d(2),
            nn.Flatten(), nn.Linear(48 * 12, 64), nn.ReLU(),
        )  # fmt: skip
        self.regressor = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        delay: Tensor = self.regressor(self.encoder(x))
        return delay.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/huber", F.smooth_l1_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        first = self.hparams["lr"] if self.hparams["rate_itself"] else 1.0
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: first * 0.95**epoch)
        return [optimizer], [schedule]


def terminus_delay(rate_itself: bool) -> Program:
    """The function gives a rate, where it is a factor of the rate that is asked for."""
    data, module = transit.profiles(), TerminusDelay(1e-3, rate_itself)
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


def lateness(power: int) -> Program:
    """Each departure is drawn by the count of its class, or by the inverse of that."""
    data = transit.punctuality()
    program = classification(
        data, mlp([10, 64, 64, 3], dropout=0.1), adam(2e-3), batch_size=64, epochs=12,
        score=balanced_accuracy,
    )  # fmt: skip
    weight = data.y.bincount().float()[data.y] ** power
    sampler = WeightedRandomSampler(weight.tolist(), len(weight))
    train = DataLoader(TensorDataset(data.x, data.y), 64, sampler=sampler, drop_last=True)
    return Program(program.module, train, program.validation, program.epochs, program.score)


class TripTime(LightningModule):
    """Vectors of an origin, a destination, a line and an hour are added, then a perceptron."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, width) for n in (40, 40, 8, 24))
        self.scale = scale
        self.mlp = nn.Sequential(
            nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )

    def forward(self, trip: Tensor) -> Tensor:
        vectors = [table(trip[:, i]) for i, table in enumerate(self.tables)]
        minutes: Tensor = self.mlp(torch.stack(vectors).sum(0) * self.scale)
        return minutes.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def trip_time(scaled: bool, width: int = 64) -> Program:
    """The factor of a transformer's embeddings, on vectors that have a deviation of 1 anyway."""
    module = TripTime(width, width**0.5 if scaled else 0.25)
    data = transit.trips()
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


def self_normalizing(lecun: bool) -> Program:
    """The paper's activation in many layers, which wants weights of variance 1 / inputs."""
    network: nn.Module = mlp([16, *[64] * 36, 1], nn.SELU)
    if lecun:
        reset(network, partial(nn.init.kaiming_normal_, nonlinearity="linear"))
    return regression(transit.fares(), network, sgd(3e-3, 0.9), batch_size=64, epochs=14)


class DelayDynamics(LightningModule):
    """The derivative of a state along a run is learnt, and Euler's method follows it."""

    def __init__(self, dt: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.derivative = nn.Sequential(nn.Linear(28, 64), nn.ReLU(), nn.Linear(64, 24))
        self.readout = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 24)
        for disturbance in x.unbind(1):
            state = state + self.hparams["dt"] * self.derivative(torch.cat([state, disturbance], 1))
        delay: Tensor = self.readout(state)
        return delay.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss/train", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def delay_dynamics(dt: float) -> Program:
    """Sixty steps of a whole hour each, where they are to be sixtieths of one."""
    data, module = transit.trains(), DelayDynamics(dt)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class StateEncoder(nn.Module):
    """Log-probabilities of 48 conditions, as the encoder gave them once, or its scores."""

    def __init__(self, log_probabilities: bool) -> None:
        super().__init__()
        self.layers = mlp([20, 64, 64, 48])
        self.log_probabilities = log_probabilities

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layers(x)
        return F.log_softmax(scores, dim=-1) if self.log_probabilities else scores


class VehicleState(LightningModule):
    """An encoder and the head that was put on it."""

    def __init__(self, log_probabilities: bool) -> None:
        super().__init__()
        self.encoder = StateEncoder(log_probabilities)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 5))
        self.loss_fn = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x))
        return logits

    def _shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        logits = self(batch[0])
        loss: Tensor = self.loss_fn(logits, batch[1])
        self.log(f"{stage}_loss", loss)
        self.log(f"{stage}_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self._shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self._shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def vehicle_state(log_probabilities: bool) -> Program:
    """No log-probability is above 0, so that nothing passes the head's first layer."""
    data, module = transit.vehicles(), VehicleState(log_probabilities)
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


CASES = (
    Case(
        "taps-state-cut-at-each-tap", Goal("accuracy", at_least=0.9),
        partial(return_zone, True), ("not_learning",), partial(return_zone, False),
    ),
    Case(
        "terminus-schedule-gives-rates-for-factors", Goal("R2", at_least=0.8),
        partial(terminus_delay, True), ("learning_rate_too_low",),
        partial(terminus_delay, False),
    ),
    Case(
        "departures-drawn-by-counts-of-classes", Goal("balanced accuracy", at_least=0.75),
        partial(lateness, 1), ("class_imbalance",), partial(lateness, -1),
    ),
    Case(
        "trips-added-vectors-scaled-into-tanh", Goal("R2", at_least=0.88),
        partial(trip_time, True), ("saturated_activation", "poor_initialization"),
        partial(trip_time, False),
    ),
    Case(
        "fares-selu-as-layers-are-drawn", Goal("R2", at_least=0.6),
        partial(self_normalizing, False), ("poor_initialization", "vanishing_gradient"),
        partial(self_normalizing, True),
    ),
    Case(
        "runs-euler-steps-without-their-length", Goal("R2", at_least=0.8),
        partial(delay_dynamics, 1.0), ("exploding_gradient", "unstable_loss"),
        partial(delay_dynamics, 1 / 60),
    ),
    Case(
        "vehicles-rectified-log-probabilities", Goal("accuracy", at_least=0.6),
        partial(vehicle_state, True), ("dead_relu", "not_learning"),
        partial(vehicle_state, False),
    ),
)  # fmt: skip
