"""More of the harbour: concrete in its units, wrong rows, equal weights, gestures by heart."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import Rows
from data_sets import harbour
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Strength(LightningModule):
    """Two hidden layers of tanh, as many a table gets them."""

    def __init__(self, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer_1, self.layer_2 = nn.Linear(8, 64), nn.Linear(64, 32)
        self.output = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.layer_1(x))
        x = torch.tanh(self.layer_2(x))
        out: Tensor = self.output(x)
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def strengths(standardized: bool, constant: float | None = None) -> Program:
    data = harbour.concrete() if standardized else harbour.raw_concrete()
    mean, deviation = data.y.mean(), data.y.std()
    data = data._replace(y=(data.y - mean) / deviation, y_test=(data.y_test - mean) / deviation)
    module = Strength(3e-3)
    if constant is not None:
        for weight in module.parameters():
            nn.init.constant_(weight, constant)
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


class GestureLSTM(LightningModule):
    """Two layers of LSTM and the last state; batches are dictionaries."""

    def __init__(self, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(2, hidden, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(hidden, 6)

    def forward(self, path: Tensor) -> Tensor:
        states, _ = self.lstm(path)
        logits: Tensor = self.classify(self.dropout(states.mean(1)))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["path"]), batch["gesture"])
        self.log("loss/train", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("loss/val", F.cross_entropy(self(batch["path"]), batch["gesture"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def gestures(samples: int, epochs: int, dropout: float = 0.0) -> Program:
    data = harbour.gestures(4000, noise=0.9)
    module = GestureLSTM(48, 1, dropout)
    train = Rows(path=data.x[:samples], gesture=data.y[:samples])
    test = Rows(path=data.x_test[:600], gesture=data.y_test[:600])

    def entropy() -> float:
        return F.cross_entropy(outputs(module, data.x_test), data.y_test).item()

    both = DataLoader(train, 20, shuffle=True), DataLoader(test, 200)
    return Program(module, *both, epochs, entropy)


class WearLSTM(LightningModule):
    """Hours that a bearing has left, by the mean of an LSTM's states."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 48, batch_first=True)
        self.norm, self.out = nn.LayerNorm(48), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.norm(self.lstm(x)[0].mean(1)))
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, hours = batch
        loss = F.l1_loss(self(x), hours)
        self.log("mae", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, hours = batch
        self.log("val_mae", F.l1_loss(self(x), hours), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)]


def bearings(sorted_by_hours: bool) -> Program:
    """The table of hours was sorted when it was saved, the recordings were not."""
    data: Samples = harbour.bearings()
    if sorted_by_hours:
        data = data._replace(y=data.y.sort().values)
    module = WearLSTM()
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data))


EXPLAINED = Goal("R2", at_least=0.8)
CASES = (
    Case(
        "concrete-kilograms-and-days-into-tanh", EXPLAINED, partial(strengths, False),
        ("unnormalized_input", "saturated_activation"), partial(strengths, True),
    ),
    Case(
        "gestures-eighty-shaky-by-heart", Goal("cross-entropy", at_most=0.8),
        partial(gestures, 80, 100), ("overfitting",), partial(gestures, 2800, 10, 0.2),
    ),
    Case(
        "concrete-weights-filled-with-a-tenth", Goal("R2", at_least=0.93),
        partial(strengths, True, 0.1), ("symmetric_weights", "poor_initialization"),
        partial(strengths, True),
    ),
    Case(
        "bearings-hours-sorted-when-saved", EXPLAINED, partial(bearings, True),
        ("inconsistent_labels", "not_learning", "overfitting"), partial(bearings, False),
    ),
)  # fmt: skip
