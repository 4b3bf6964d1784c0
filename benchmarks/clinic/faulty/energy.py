"""Models of a utility's analysts, each with one mistake."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import energy
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import Optimizer, adam, mlp, sgd
from scores import accuracy, balanced_accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class ApplianceNet(LightningModule):
    """Which appliance was switched on, from two periods of its current."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 6))

    def forward(self, current: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(current))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        current, appliance = batch
        loss = F.cross_entropy(self(current), appliance)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        current, appliance = batch
        logits = self(current)
        self.log("val_loss", F.cross_entropy(logits, appliance))
        self.log("val_acc", (logits.argmax(1) == appliance).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"], weight_decay=1e-4)


def appliances(lr: float) -> Program:
    data, module = energy.appliances(), ApplianceNet(lr)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class TheftDetector(LightningModule):
    """One logit for eight weeks of a customer; accuracy is what is watched."""

    def __init__(self, pos_weight: float | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.BatchNorm1d(16), nn.ReLU(), nn.AvgPool1d(4),
            nn.Conv1d(16, 32, 5, padding=2), nn.BatchNorm1d(32), nn.ReLU(), nn.AvgPool1d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(32 * 7, 1))
        weight = None if pos_weight is None else torch.tensor(pos_weight)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=weight)

    def forward(self, use: Tensor) -> Tensor:
        logit: Tensor = self.head(self.encoder(use)).squeeze(1)
        return logit

    def step(self, batch: list[Tensor], stage: str) -> Tensor:
        use, theft = batch
        logit = self(use)
        loss: Tensor = self.criterion(logit, theft.float())
        self.log(f"{stage}_loss", loss)
        self.log(f"{stage}_acc", ((logit > 0) == (theft == 1)).float().mean(), prog_bar=True)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def thefts(pos_weight: float | None) -> Program:
    data, module = energy.customers(), TheftDetector(pos_weight)
    return Program(module, *loaders(data, 64), 10, partial(balanced_accuracy, module, data))


@dataclass
class PlantBatch:
    """Hours of inverters and their states."""

    readings: Tensor
    state: Tensor


def plant_batch(samples: list[tuple[Tensor, Tensor]]) -> PlantBatch:
    readings, states = zip(*samples, strict=True)
    return PlantBatch(torch.stack(readings), torch.stack(states))


class Rows(Dataset[tuple[Tensor, Tensor]]):
    """The rows of the table of all plants, which is sorted by plant."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


class InverterState(LightningModule):
    """Normal, soiled, or a string that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([12, 64, 64, 3], norm=nn.BatchNorm1d)

    def forward(self, readings: Tensor) -> Tensor:
        logits: Tensor = self.net(readings)
        return logits

    def training_step(self, batch: PlantBatch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.readings), batch.state)
        self.log("loss/train", loss, batch_size=len(batch.state))
        return loss

    def validation_step(self, batch: PlantBatch, batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch.readings), batch.state)
        self.log("loss/val", loss, batch_size=len(batch.state), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def inverters(shuffle: bool) -> Program:
    """Each batch of 32 is one plant, as long as the rows are not shuffled."""
    data, module = energy.inverters(), InverterState()
    arguments: dict[str, Any] = {"batch_size": 32, "collate_fn": plant_batch}
    train = DataLoader(Rows(data.x, data.y), shuffle=shuffle, **arguments)
    test = DataLoader(Rows(data.x_test, data.y_test), **arguments)
    return Program(module, train, test, 12, partial(accuracy, module, data))


class NetLoadLSTM(LightningModule):
    """The next six hours of a feeder's net load, which is below zero where roofs feed back."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 48, batch_first=True)
        self.head = nn.Sequential(nn.Linear(48, 6), last)

    def forward(self, window: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(window)
        forecast: Tensor = self.head(hidden[-1])
        return forecast

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, following = batch
        loss = F.mse_loss(self(window), following)
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        window, following = batch
        forecast = self(window)
        self.log("val_mse", F.mse_loss(forecast, following))
        self.log("val_mae", F.l1_loss(forecast, following), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)]


def net_load(last: nn.Module) -> Program:
    data, module = energy.feeder(), NetLoadLSTM(last)
    return Program(module, *loaders(data, 64), 20, partial(r2, module, data))


class PowerCurve(LightningModule):
    """Power of a turbine in units of 100 kW."""

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__()
        self.model, self.optimizer = mlp([8, 32, 32, 32, 1]), optimizer

    def forward(self, x: Tensor) -> Tensor:
        power: Tensor = self.model(x)
        return power.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, power = batch
        loss = F.smooth_l1_loss(self(x), power)
        self.log("train_loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, power = batch
        self.log("val_rmse", F.mse_loss(self(x), power).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def power_curve(lr: float) -> Program:
    """The first steps, towards a mean of ten, throw the units of the layers below zero."""
    data, module = energy.turbines(), PowerCurve(sgd(lr, 0.9))
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class HeatPumpNet(LightningModule):
    """The state of a heat pump from the start of its compressor."""

    def __init__(self, dropout: float, optimizer: Optimizer) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(2, 32, 5, padding=2), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 64, 5, padding=2), nn.BatchNorm1d(64), nn.ReLU(), nn.MaxPool1d(2),
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(64 * 16, 128), nn.ReLU(),
            nn.Dropout(dropout),
        )  # fmt: skip
        self.out, self.optimizer = nn.Linear(128, 3), optimizer

    def forward(self, trace: Tensor) -> Tensor:
        logits: Tensor = self.out(self.body(trace))
        return logits

    def shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        trace, state = batch
        logits = self(trace)
        loss = F.cross_entropy(logits, state)
        found = {"loss": loss, "acc": (logits.argmax(1) == state).float().mean()}
        self.log_dict({f"{stage}_{k}": v for k, v in found.items()}, on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def heat_pumps(epochs: int, dropout: float, decay: float) -> Program:
    data = energy.heat_pumps()
    module = HeatPumpNet(dropout, partial(torch.optim.AdamW, lr=1e-3, weight_decay=decay))
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


class FarmPower(LightningModule):
    """Power of a wind farm from the weather model of the same hour."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([8, 64, 64, 1], nn.SiLU)

    def forward(self, weather: Tensor) -> Tensor:
        power: Tensor = self.net(weather)
        return power.squeeze(-1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch["weather"]), batch["power"])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.smooth_l1_loss(self(batch["weather"]), batch["power"])
        self.log("val_loss", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return adam(2e-3)(self.parameters())


class Hours(Dataset[dict[str, Tensor]]):
    """The hours of both tables after they were joined by their stamps."""

    def __init__(self, weather: Tensor, power: Tensor) -> None:
        self.weather, self.power = weather, power

    def __len__(self) -> int:
        return len(self.power)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"weather": self.weather[index], "power": self.power[index]}


def farm_power(shift: int) -> Program:
    """The weather is stamped in UTC, the power in the time of Tokyo, nine hours later."""
    data: Samples = energy.wind_farm(shift)
    module = FarmPower()
    train = DataLoader(Hours(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Hours(data.x_test, data.y_test), 256)
    return Program(module, train, test, 12, partial(r2, module, data))


CASES = (
    Case(
        "appliances-descent-of-a-ten-thousandth",
        Goal("accuracy", at_least=0.85), partial(appliances, 1e-4),
        ("learning_rate_too_low",), partial(appliances, 0.05),
    ),
    Case(
        "customers-few-bypass-their-meter", Goal("balanced accuracy", at_least=0.7),
        partial(thefts, None), ("class_imbalance",), partial(thefts, 30.0),
    ),
    Case(
        "inverters-one-plant-to-each-normed-batch", Goal("accuracy", at_least=0.85),
        partial(inverters, False), ("train_eval_mismatch",), partial(inverters, True),
    ),
    Case(
        "feeders-fed-back-forecast-by-a-sigmoid", Goal("R2", at_least=0.8),
        lambda: net_load(nn.Sigmoid()), ("output_loss_mismatch",),
        lambda: net_load(nn.Identity()),
    ),
    Case(
        "turbines-units-die-before-their-power", Goal("R2", at_least=0.9),
        partial(power_curve, 0.2), ("dead_relu", "learning_rate_too_high"),
        partial(power_curve, 0.02),
    ),
    Case(
        "heat-pumps-few-starts-by-heart", Goal("cross-entropy", at_most=1.1),
        partial(heat_pumps, 60, 0.0, 0.0), ("overfitting",), partial(heat_pumps, 20, 0.5, 0.05),
    ),
    Case(
        "wind-farm-power-in-another-time-zone", Goal("R2", at_least=0.7),
        partial(farm_power, 9), ("inconsistent_labels", "not_learning"), partial(farm_power, 0),
    ),
)  # fmt: skip
