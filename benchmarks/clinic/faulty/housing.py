"""Nets on rents, photos, floor plans, meters and adverts, each with one mistake of its writer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import housing
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class RoomAutoencoder(LightningModule):
    """The convolutional autoencoder of most tutorials, on photos of rooms."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 4 * 4, 64),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(64, 32 * 4 * 4), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x_hat: Tensor = self.decoder(self.encoder(x))
        return x_hat

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        loss = F.mse_loss(self(x), x)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, _ = batch
        self.log("val_loss", F.mse_loss(self(x), x), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])


def room_autoencoder(learning_rate: float) -> Program:
    data, module = housing.room_photos(), RoomAutoencoder(learning_rate)
    rebuilt = data._replace(y_test=data.x_test)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, rebuilt))


def init_weights(module: nn.Module) -> None:
    """As it is copied from answer to answer; the deviation is left at its default of 1."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight)
        nn.init.zeros_(module.bias)


class HeatDemand(LightningModule):
    """What a house needs, from the temperatures and the thermostat of the last hours."""

    def __init__(self, initialize: bool) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Flatten(), nn.Linear(72, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(),
            nn.Linear(128, 64), nn.Tanh(),
        )  # fmt: skip
        self.out = nn.Linear(64, 1)
        if initialize:
            self.hidden.apply(init_weights)
        self.loss_fn = nn.MSELoss()

    def forward(self, x: Tensor) -> Tensor:
        demand: Tensor = self.out(self.hidden(x))
        return demand.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss_fn(self(x), y)
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", self.loss_fn(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def heat_demand(initialize: bool) -> Program:
    data, module = housing.heating(), HeatDemand(initialize)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class MouldGRU(LightningModule):
    """Will there be mould? Accuracy is all that is watched."""

    def __init__(self, pos_weight: float | None) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 32, batch_first=True)
        self.head = nn.Linear(32, 1)
        weight = None if pos_weight is None else torch.tensor(pos_weight)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=weight)

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.gru(x)
        logit: Tensor = self.head(h[-1])
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logit = self(x)
        loss: Tensor = self.criterion(logit, y.float())
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_acc", ((logit > 0) == y).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        self.log("val_loss", self.criterion(logit, y.float()))
        self.log("val_acc", ((logit > 0) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def mould(pos_weight: float | None) -> Program:
    data, module = housing.humidity(), MouldGRU(pos_weight)
    return Program(module, *loaders(data, 64), 10, partial(balanced_accuracy, module, data))


class RentRegressor(LightningModule):
    """Rents are positive, so the last layer's output goes through exp."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_features, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        rent: Tensor = torch.exp(self.layers(x)).squeeze(1)
        return rent

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        rent = self(x)
        self.log("val_loss", F.mse_loss(rent, y))
        self.log("val_mae", F.l1_loss(rent, y), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def exponential_rents(clip: float | None) -> Program:
    data = housing.rents()
    module = RentRegressor(data.x.shape[1])
    trainer = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data), trainer)


def double_conv(before: int, after: int, norm: Callable[[int], nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), norm(after), nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1, bias=False), norm(after), nn.ReLU(inplace=True),
    )  # fmt: skip


class WallUNet(LightningModule):
    """A U-Net of one step down, that finds the walls in scans of floor plans."""

    def __init__(self, norm: Callable[[int], nn.Module], lr: float = 1e-3) -> None:
        super().__init__()
        self.lr = lr
        self.inc = double_conv(1, 12, norm)
        self.down = nn.Sequential(nn.MaxPool2d(2), double_conv(12, 24, norm))
        self.up = nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.conv = double_conv(24, 12, norm)
        self.outc = nn.Conv2d(12, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        x1 = self.inc(image)
        x = self.up(self.down(x1))
        mask: Tensor = self.outc(self.conv(torch.cat([x1, x], dim=1)))
        return mask

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, mask = batch
        loss = F.binary_cross_entropy_with_logits(self(image), mask)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, mask = batch
        logits = self(image)
        self.log("val/loss", F.binary_cross_entropy_with_logits(logits, mask))
        self.log("val/dice", dice(logits, mask))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def dice(logits: Tensor, mask: Tensor) -> Tensor:
    found = (logits > 0).float()
    return 2 * (found * mask).sum() / (found.sum() + mask.sum()).clamp(min=1)


def wall_unet(norm: Callable[[int], nn.Module]) -> Program:
    """The full plans need so much memory that the batches are of one."""
    data, module = housing.plans(20.0), WallUNet(norm)

    def score() -> float:
        return dice(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data, 1), 2, score)


class AdvertLSTM(LightningModule):
    """An LSTM in the place of BERT; the head still takes the state of the first token."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position
        self.embedding = nn.Embedding(housing.WORDS, 48)
        self.lstm = nn.LSTM(48, 64, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(64, housing.TOPICS)

    def forward(self, input_ids: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.embedding(input_ids))
        pooled = hidden[:, self.position]
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        input_ids, labels = batch
        loss = F.cross_entropy(self(input_ids), labels)
        self.log("train_loss", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        input_ids, labels = batch
        logits = self(input_ids)
        self.log("val_loss", F.cross_entropy(logits, labels), prog_bar=True)
        self.log("val_acc", (logits.argmax(dim=1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.01)


def advert_lstm(position: int) -> Program:
    data, module = housing.adverts(), AdvertLSTM(position)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class LoadCurveAE(LightningModule):
    """Compresses two days of a meter into eight numbers."""

    def __init__(self, constant: float | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(housing.HOURS, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 12)
        )
        self.decoder = nn.Sequential(
            nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 64), nn.Tanh(),
            nn.Linear(64, housing.HOURS),
        )  # fmt: skip
        if constant is not None:
            self.init_weights(constant)

    def init_weights(self, constant: float) -> None:
        for name, param in self.named_parameters():
            nn.init.constant_(param, constant if "weight" in name else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        loss = F.mse_loss(self(x), x)
        self.log("recon_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, _ = batch
        self.log("val_recon_loss", F.mse_loss(self(x), x))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def load_curve_ae(constant: float | None) -> Program:
    data, module = housing.load_curves(), LoadCurveAE(constant)
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=32, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), batch_size=256)
    return Program(module, train, test, 25, partial(r2, module, data))


CASES = (
    Case(
        "room-photos-rebuilt-adam-of-a-tenth", Goal("R2", at_least=0.5),
        partial(room_autoencoder, 0.1), ("learning_rate_too_high", "dead_relu"),
        partial(room_autoencoder, 3e-3),
    ),
    Case(
        "heating-tanh-layers-drawn-by-normal", Goal("R2", at_least=0.85),
        partial(heat_demand, True),
        ("saturated_activation", "poor_initialization"), partial(heat_demand, False),
    ),
    Case(
        "mould-in-few-flats-by-accuracy", Goal("balanced accuracy", at_least=0.75),
        partial(mould, None), ("class_imbalance",), partial(mould, 30.0),
    ),
    Case(
        "rents-behind-exp-without-clipping", Goal("R2", at_least=0.8),
        partial(exponential_rents, None), ("exploding_gradient", "learning_rate_too_high"),
        partial(exponential_rents, 1.0),
    ),
    Case(
        "floor-plans-one-to-a-batch", Goal("dice", at_least=0.9),
        partial(wall_unet, nn.BatchNorm2d), ("train_eval_mismatch",),
        partial(wall_unet, partial(nn.GroupNorm, 4)),
    ),
    Case(
        "adverts-lstm-read-at-its-first-token", Goal("accuracy", at_least=0.8),
        partial(advert_lstm, 0), ("not_learning", "frozen_parameter"), partial(advert_lstm, -1),
    ),
    Case(
        "load-curves-rebuilt-constant-weights", Goal("R2", at_least=0.7),
        partial(load_curve_ae, 0.05), ("symmetric_weights", "poor_initialization"),
        partial(load_curve_ae, None),
    ),
)  # fmt: skip
