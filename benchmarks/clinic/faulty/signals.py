"""Faults of a group for signals: receivers, estimated channels, heart beats and occupied bands."""

import math
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import signals
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class ChannelEstimator(LightningModule):
    """The channel of all carriers from that of the pilots; logs the error in dB, as papers do."""

    def __init__(self, learning_rate: float, hidden: int = 192) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.estimator = nn.Sequential(
            nn.Linear(32, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 128),
        )  # fmt: skip

    def forward(self, pilots: Tensor) -> Tensor:
        channel: Tensor = self.estimator(pilots)
        return channel

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pilots, channel = batch
        loss = F.mse_loss(self(pilots), channel)
        self.log("train/nmse_db", 10 * (loss / channel.square().mean()).log10())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pilots, channel = batch
        error = F.mse_loss(self(pilots), channel)
        self.log("val/nmse_db", 10 * (error / channel.square().mean()).log10(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97)]


def estimated_channels(learning_rate: float) -> Program:
    data, module = signals.pilots(), ChannelEstimator(learning_rate)
    return Program(module, *loaders(data, 64), 20, partial(r2, module, data))


class RBFLayer(nn.Module):
    """Gaussian units around centres, which are learnt as their widths are."""

    def __init__(self, centers: Tensor, gamma: float) -> None:
        super().__init__()
        self.centers = nn.Parameter(centers.clone())
        self.log_gamma = nn.Parameter(torch.full((len(centers),), math.log(gamma)))

    def forward(self, x: Tensor) -> Tensor:
        distance = (x[:, None] - self.centers).square().sum(-1)
        return torch.exp(-self.log_gamma.exp() * distance)


class RadialEqualizer(LightningModule):
    """One radial layer and a linear one, for the bit sent."""

    def __init__(self, centers: Tensor, gamma: float) -> None:
        super().__init__()
        self.rbf = RBFLayer(centers, gamma)
        self.readout = nn.Linear(len(centers), 1)
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, window: Tensor) -> Tensor:
        logit: Tensor = self.readout(self.rbf(window))
        return logit.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("bce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_bce", self.criterion(logit, batch[1]))
        self.log("val_ber", ((logit > 0) != (batch[1] > 0.5)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def radial(from_data: bool, units: int = 100) -> Program:
    """The centres are drawn at random with a width of one, or among the windows, and wider."""
    data = signals.echoes()
    if from_data:
        centers = data.x[torch.randperm(len(data.x))[:units]]
        gamma = 1 / torch.pdist(centers).square().median().item()
    else:
        centers, gamma = 3 * torch.randn(units, data.x.shape[1]), 1.0
    module = RadialEqualizer(centers, gamma)
    return Program(module, *loaders(data, 32), 15, partial(binary_accuracy, module, data))


class BitReceiver(LightningModule):
    """All bits of a symbol at once from what the antennas receive, through ten layers."""

    def __init__(self, activation: type[nn.Module], width: int = 80, hidden: int = 9) -> None:
        super().__init__()
        sizes = [12] + hidden * [width]
        layers = [nn.Linear(before, after) for before, after in pairwise(sizes)]
        for layer in layers:
            nn.init.xavier_normal_(layer.weight)
        self.hidden_layers = nn.ModuleList(layers)
        self.act = activation()
        self.bits = nn.Linear(width, 12)

    def forward(self, received: Tensor) -> Tensor:
        h = received
        for layer in self.hidden_layers:
            h = self.act(layer(h))
        logits: Tensor = self.bits(h)
        return logits

    def step(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        received, bits = batch
        logits = self(received)
        wrong = ((logits > 0) != (bits > 0.5)).float().mean()
        return F.binary_cross_entropy_with_logits(logits, bits), wrong

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, wrong = self.step(batch)
        self.log_dict({"loss/train": loss, "ber/train": wrong})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, wrong = self.step(batch)
        self.log_dict({"loss/val": loss, "ber/val": wrong})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def bits_right(module: LightningModule, data: Samples) -> float:
    found = outputs(module, data.x_test)
    return ((found > 0) == (data.y_test > 0.5)).float().mean().item()


def receiver(activation: type[nn.Module]) -> Program:
    data, module = signals.received_bits(), BitReceiver(activation)
    return Program(module, *loaders(data, 64), 20, partial(bits_right, module, data))


def conv_block(before: int, after: int, kernel: int = 7) -> list[nn.Module]:
    """What the denoiser is made of."""
    return [
        nn.Conv1d(before, after, kernel, padding=kernel // 2), nn.BatchNorm1d(after), nn.ReLU(),
    ]  # fmt: skip


class Denoiser(LightningModule):
    """Five blocks of a convolution, or four and a plain convolution at the end."""

    def __init__(self, plain_end: bool, channels: int = 24) -> None:
        super().__init__()
        end = [nn.Conv1d(channels, 1, 7, padding=3)] if plain_end else conv_block(channels, 1)
        self.model = nn.Sequential(
            *conv_block(1, channels), *conv_block(channels, channels),
            *conv_block(channels, channels), *conv_block(channels, channels), *end,
        )  # fmt: skip

    def forward(self, noisy: Tensor) -> Tensor:
        clean: Tensor = self.model(noisy)
        return clean

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch["noisy"]), batch["clean"])
        self.log("train_mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        error = F.mse_loss(self(batch["noisy"]), batch["clean"])
        self.log("val_mse", error)
        self.log("val_snr", 10 * (batch["clean"].square().mean() / error).log10())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "monitor": "val_mse"},
        }


class NoisyAndClean(Dataset[dict[str, Tensor]]):
    """Recordings, by the names of their parts."""

    def __init__(self, noisy: Tensor, clean: Tensor) -> None:
        self.noisy, self.clean = noisy, clean

    def __len__(self) -> int:
        return len(self.noisy)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"noisy": self.noisy[index], "clean": self.clean[index]}


def denoiser(plain_end: bool) -> Program:
    data, module = signals.noisy_ringings(), Denoiser(plain_end)
    train = DataLoader(NoisyAndClean(data.x, data.y), 32, shuffle=True)
    test = DataLoader(NoisyAndClean(data.x_test, data.y_test), 200)
    return Program(module, train, test, 10, partial(r2, module, data))


class RoomClassifier(LightningModule):
    """Where a radio stands, by how its signal arrives: office, hall, behind a wall."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 5, padding=2), nn.LeakyReLU(0.1), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), nn.LeakyReLU(0.1), nn.MaxPool1d(2),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(32 * 12, 64), nn.LeakyReLU(0.1), nn.Linear(64, 3)
        )
        self.ce = nn.CrossEntropyLoss()

    def forward(self, response: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(response))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch[0])
        loss = self.ce(logits, batch[1])
        right = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": right}, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.ce(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def rooms(scaled: bool) -> Program:
    """The responses are in volts at the antenna, as the receiver writes them."""
    data = signals.impulse_responses()
    if scaled:
        mean, deviation = data.x.mean(), data.x.std()
        data = data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)
    module = RoomClassifier()
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 7, padding=3), nn.BatchNorm1d(channels), nn.ReLU(),
            nn.Dropout(dropout), nn.Conv1d(channels, channels, 7, padding=3),
            nn.BatchNorm1d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class BeatClassifier(LightningModule):
    """A residual net on single beats; in training they may be moved, scaled and made noisier."""

    def __init__(self, augmented: bool, dropout: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Conv1d(1, 32, 9, stride=2, padding=4)
        self.blocks = nn.Sequential(Residual(32, dropout), nn.MaxPool1d(2), Residual(32, dropout))
        self.fc = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(32 * 24, 4))

    def forward(self, ecg: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.blocks(self.stem(ecg)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        ecg, kind = batch
        if self.hparams["augmented"]:
            moves = torch.randint(-8, 9, (len(ecg), 1, 1))
            ecg = ecg.gather(2, (torch.arange(ecg.shape[2]) + moves) % ecg.shape[2])
            ecg = ecg * (0.8 + 0.4 * torch.rand(len(ecg), 1, 1)) + 0.15 * torch.randn_like(ecg)
        loss = F.cross_entropy(self(ecg), kind)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        ecg, kind = batch
        logits = self(ecg)
        self.log("val_loss", F.cross_entropy(logits, kind), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == kind).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=decay)


def few_beats(augmented: bool, dropout: float, weight_decay: float) -> Program:
    data, module = signals.beats(), BeatClassifier(augmented, dropout, weight_decay)
    both = loaders(data.first(160), 16)
    return Program(module, *both, 60, partial(cross_entropy, module, data))


class SpectrumSensor(LightningModule):
    """For each of 64 channels whether somebody sends there, by it and its neighbours."""

    def __init__(self, pos_weight: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 24, 5, padding=2), nn.ReLU(), nn.Conv1d(24, 24, 5, padding=2), nn.ReLU(),
            nn.Conv1d(24, 1, 1),
        )  # fmt: skip
        self.register_buffer("pos_weight", torch.tensor(pos_weight))

    def forward(self, power: Tensor) -> Tensor:
        logits: Tensor = self.net(power)
        return logits.squeeze(1)

    def loss(self, logits: Tensor, busy: Tensor) -> Tensor:
        weight = self.get_buffer("pos_weight")
        return F.binary_cross_entropy_with_logits(logits, busy, pos_weight=weight)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = self.loss(logits, batch[1])
        self.log("train_loss", loss)
        self.log("train_acc", ((logits > 0) == (batch[1] > 0.5)).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.loss(logits, batch[1]))
        self.log("val_acc", ((logits > 0) == (batch[1] > 0.5)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def both_recalls(module: LightningModule, data: Samples) -> float:
    """Mean of the recalls of busy and of free channels."""
    found, busy = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found[busy].float().mean() + (~found[~busy]).float().mean()) / 2).item()


def sensed(pos_weight: float) -> Program:
    data, module = signals.spectrum(), SpectrumSensor(pos_weight)
    return Program(module, *loaders(data, 16), 10, partial(both_recalls, module, data))


CASES = (
    Case(
        "pilots-interpolated-in-wide-strides", Goal("R2", at_least=0.9),
        partial(estimated_channels, 0.05), ("learning_rate_too_high",),
        partial(estimated_channels, 1e-3),
    ),
    Case(
        "echoes-radial-units-out-of-reach", Goal("accuracy", at_least=0.93),
        partial(radial, False), ("dormant_units", "poor_initialization"), partial(radial, True),
    ),
    Case(
        "received-bits-through-nine-sigmoids", Goal("bits right", at_least=0.85),
        partial(receiver, nn.Sigmoid), ("vanishing_gradient",), partial(receiver, nn.ReLU),
    ),
    Case(
        "ringings-cleaned-by-blocks-to-the-end", Goal("R2", at_least=0.65),
        partial(denoiser, False), ("output_loss_mismatch",), partial(denoiser, True),
    ),
    Case(
        "impulse-responses-in-volts", Goal("accuracy", at_least=0.65), partial(rooms, False),
        ("unnormalized_input",), partial(rooms, True),
    ),
    Case(
        "beats-of-one-afternoon-by-heart", Goal("cross-entropy", at_most=0.9),
        partial(few_beats, False, 0.0, 0.0), ("overfitting",),
        partial(few_beats, True, 0.4, 0.05),
    ),
    Case(
        "spectrum-seldom-occupied", Goal("balanced accuracy", at_least=0.7), partial(sensed, 1.0),
        ("class_imbalance",), partial(sensed, 25.0),
    ),
)  # fmt: skip
