"""An insurer's notebooks, homework on its data, and what its trainees ask."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import insurance
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import adam, sgd
from programs import regression
from scores import accuracy, balanced_accuracy, binary_accuracy, outputs
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class DriverNet(LightningModule):
    """An LSTM whose outputs are pooled over the drive, with percentiles."""

    def __init__(self, numpy: bool, hidden: int = 48) -> None:
        super().__init__()
        self.numpy = numpy
        self.lstm = nn.LSTM(3, hidden, batch_first=True)
        self.fc = nn.Linear(3 * hidden, 3)

    def pooled(self, out: Tensor) -> Tensor:
        if self.numpy:
            # RuntimeError: Can't call numpy() on Tensor that requires grad
            found = np.percentile(out.detach().numpy(), [10, 50, 90], axis=1)
            parts = torch.from_numpy(found).float()
        else:
            parts = torch.quantile(out, torch.tensor([0.1, 0.5, 0.9]), dim=1)
        return torch.cat(list(parts), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(x)
        logits: Tensor = self.fc(self.pooled(out))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def drivers(numpy: bool) -> Program:
    data, module = insurance.drives(), DriverNet(numpy)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


def repair_costs(lr: float) -> Program:
    """A photograph's cost in hundreds of euros, not scaled, by descent with momentum."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 5 * 5, 64), nn.ReLU(), nn.Linear(64, 1),
    )  # fmt: skip
    damages = insurance.damages().normalized()
    data = damages.samples(damages.costs)
    return regression(data, network, sgd(lr, 0.9), batch_size=32, epochs=20)


class FraudTransformer(LightningModule):
    """Attention among the events of a claim, averaged."""

    def __init__(self, d_model: int = 32) -> None:
        super().__init__()
        self.embed = nn.Linear(6, d_model)
        layer = nn.TransformerEncoderLayer(d_model, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.classifier = nn.Linear(d_model, 2)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, events: Tensor) -> Tensor:
        hidden = self.encoder(self.embed(events)).mean(dim=1)
        logits: Tensor = self.classifier(hidden)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        events, fraud = batch
        logits = self(events)
        loss = self.criterion(logits, fraud)
        accuracy = (logits.argmax(dim=1) == fraud).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": accuracy}, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        events, fraud = batch
        logits = self(events)
        self.log("val_loss", self.criterion(logits, fraud))
        self.log("val_acc", (logits.argmax(dim=1) == fraud).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def fraud(balanced: bool) -> Program:
    """Three claims in a hundred are fraud; the accuracy is 97 % from the first epoch on."""
    data, module = insurance.histories(), FraudTransformer()
    train, test = loaders(data, 64)
    if balanced:
        weights = (1 / torch.bincount(data.y).float())[data.y]
        sampler = WeightedRandomSampler(weights.tolist(), len(data.y))
        train = DataLoader(TensorDataset(data.x, data.y), batch_size=64, sampler=sampler)
    return Program(module, train, test, 8, partial(balanced_accuracy, module, data))


class EntityNet(LightningModule):
    """Embeddings of region and make beside the numbers."""

    def __init__(self, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.region = nn.Embedding(insurance.REGIONS, 6)
        self.make = nn.Embedding(insurance.MAKES, 6)
        self.layers = nn.Sequential(
            nn.Linear(17, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 16), nn.ReLU(),
            nn.Linear(16, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        codes, numbers = x[:, :2].long(), x[:, 2:]
        embedded = [self.region(codes[:, 0]), self.make(codes[:, 1])]
        out: Tensor = self.layers(torch.cat([*embedded, numbers], dim=1))
        return out.squeeze(1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch["x"]), batch["y"])
        self.log("train/bce", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["x"])
        self.log("val/bce", F.binary_cross_entropy_with_logits(logits, batch["y"]))
        self.log("val/acc", ((logits > 0) == (batch["y"] > 0.5)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


def as_dicts(x: Any, y: Any, batch_size: int, shuffle: bool) -> DataLoader[Any]:
    rows: Any = [{"x": a, "y": b} for a, b in zip(x, y, strict=True)]
    return DataLoader(rows, batch_size, shuffle=shuffle)


def leavers(together: bool) -> Program:
    """Columns and labels are split by two calls, each with its own order."""
    data, module = insurance.lapses(), EntityNet()
    x, y = data.x.numpy(), data.y.float().numpy()
    if together:
        x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.2, random_state=42)
    else:
        x_train, x_val = train_test_split(x, test_size=0.2, random_state=0)
        y_train, y_val = train_test_split(y, test_size=0.2, random_state=1)
    train = as_dicts(x_train, y_train, 32, True)
    val = as_dicts(x_val, y_val, 256, False)
    return Program(module, train, val, 12, partial(binary_accuracy, module, data))


class Forecaster(nn.Module):
    """The last state of a GRU, and a linear layer."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, window: Tensor) -> Tensor:
        states, _ = self.gru(window)
        found: Tensor = self.out(states[:, -1])
        return found


def next_week(batch_size: int, epochs: int) -> Program:
    """Claims of the next week; one window is one step."""
    optimizer = adam(2e-2)
    return regression(
        insurance.weeks(), Forecaster(), optimizer, batch_size=batch_size, epochs=epochs
    )


class TinyUNet(LightningModule):
    """Two levels, with one skip."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.down = self.block(1, 12)
        self.deep = self.block(12, 24)
        self.up = nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.last = self.block(24, 12)
        self.head = nn.Conv2d(12, 1, 1)

    def block(self, before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
        )

    def forward(self, image: Tensor) -> Tensor:
        fine = self.down(image)
        deep = self.up(self.deep(F.max_pool2d(fine, 2)))
        logits: Tensor = self.head(self.last(torch.cat([fine, deep], dim=1)))
        return logits

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        bce = F.binary_cross_entropy_with_logits(logits, mask)
        chance = logits.sigmoid()
        dice = 1 - (2 * (chance * mask).sum() + 1) / (chance.sum() + mask.sum() + 1)
        return bce + dice

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch[0]), batch[1])
        self.log("train_bce_dice", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce_dice", self.loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def intersection_over_union(module: LightningModule, data: Samples) -> float:
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & true).sum() / (found | true).sum()).item()


def outlines(lr: float) -> Program:
    damages = insurance.damages()
    data, module = damages.samples(damages.masks), TinyUNet(lr)
    score = partial(intersection_over_union, module, data)
    return Program(module, *loaders(data, 16), 8, score)


class FromScratch(LightningModule):
    """Homework: a net of sigmoids without nn.Linear, each weight drawn by torch.randn."""

    def __init__(self, scaled: bool, sizes: tuple[int, ...] = (20, 128, 128, 128, 4)) -> None:
        super().__init__()
        self.W, self.b = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(sizes):
            weight = torch.randn(n_in, n_out)
            self.W.append(weight / n_in**0.5 if scaled else weight)
            self.b.append(torch.zeros(n_out))
        self.hidden = nn.ModuleList([nn.Sigmoid() for _ in sizes[2:]])

    def forward(self, a: Tensor) -> Tensor:
        for i, sigmoid in enumerate(self.hidden):
            a = sigmoid(a @ self.W[i] + self.b[i])
        logits: Tensor = a @ self.W[-1] + self.b[-1]
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("cost", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("dev_cost", F.cross_entropy(logits, batch[1]))
        self.log("dev_accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def homework(scaled: bool) -> Program:
    data, module = insurance.risks(), FromScratch(scaled)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


CASES = (
    Case("drivers-percentiles-of-numpy", Goal("accuracy", at_least=0.75), partial(drivers, True),
         ("frozen_parameter",), partial(drivers, False)),
    Case("repairs-costed-with-hasty-momentum", Goal("R2", at_least=0.5),
         partial(repair_costs, 5e-3), ("dead_relu", "learning_rate_too_high"),
         partial(repair_costs, 1e-3)),
    Case("claims-few-frauds-attended-to", Goal("balanced accuracy", at_least=0.72),
         partial(fraud, False), ("class_imbalance",), partial(fraud, True)),
    Case("leavers-split-by-two-calls", Goal("accuracy", at_least=0.78), partial(leavers, False),
         ("inconsistent_labels", "not_learning"), partial(leavers, True)),
    Case("weekly-claims-one-window-a-step", Goal("R2", at_least=0.7), partial(next_week, 1, 3),
         ("unstable_loss", "learning_rate_too_high"), partial(next_week, 32, 15)),
    Case("damages-outlined-at-a-shy-rate", Goal("IoU", at_least=0.7), partial(outlines, 1e-5),
         ("learning_rate_too_low",), partial(outlines, 3e-3)),
    Case("risk-classes-without-nn-linear", Goal("accuracy", at_least=0.83),
         partial(homework, False), ("saturated_activation", "poor_initialization"),
         partial(homework, True)),
)  # fmt: skip
