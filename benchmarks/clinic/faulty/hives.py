"""Networks for beehives, each with one well-known fault."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import hives
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import RegressionTask, adam, mlp, reset
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class GrainVGG(LightningModule):
    """Four convolutions in two blocks and two linear layers."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(),
            nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = mlp([24 * 25, 96, 6])
        reset(self, partial(nn.init.kaiming_normal_, nonlinearity="relu"))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])


def grain_vgg(learning_rate: float) -> Program:
    data, module = hives.pollen(), GrainVGG(learning_rate)
    return Program(module, *loaders(data, 32), 9, partial(accuracy, module, data))


class SpectrumCodec(LightningModule):
    """An autoencoder of spectra with a code of six, and plain momentum."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.encoder = mlp([60, 40, 6], nn.GELU)
        self.decoder = mlp([6, 40, 60], nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("reconstruction", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_reconstruction", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def codec(lr: float) -> Program:
    spectra, module = standardized(hives.honeys()), SpectrumCodec(lr)
    data = spectra._replace(y=spectra.x, y_test=spectra.x_test)
    return Program(module, *loaders(data, 24), 30, partial(r2, module, data))


class HumNet(LightningModule):
    """Two hidden layers whose weights are drawn by the program itself; no validation."""

    def __init__(self, draw: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net = reset(mlp([48, 64, 32, 4]), draw)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self(batch[0]), batch[1])}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def hum_net(draw: Callable[[Tensor], Any]) -> Program:
    """Decibels below the loudest become numbers from about -1 to 0."""
    hums = hives.hums()
    data = hums.with_inputs(hums.x / 80, hums.x_test / 80)
    module = HumNet(draw)
    return Program(module, loaders(data, 64)[0], None, 30, partial(accuracy, module, data))


class WaterRegressor(LightningModule):
    """Four layers of tanh, drawn from a normal distribution."""

    def __init__(self, draw: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net = reset(mlp([60, 80, 80, 80, 80, 1], nn.Tanh), draw)

    def forward(self, x: Tensor) -> Tensor:
        water: Tensor = self.net(x)[:, 0]
        return water

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error = self(batch[0]) - batch[1]
        self.log_dict({"val/mse": error.square().mean(), "val/mae": error.abs().mean()})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)]


def water_regressor(draw: Callable[[Tensor], Any]) -> Program:
    data, module = scaled_targets(standardized(hives.honeys())), WaterRegressor(draw)
    return Program(module, *loaders(data, 32), 40, partial(r2, module, data))


class Colonies(Dataset[dict[str, Tensor]]):
    """Findings of autumn and what became of a colony, as dictionaries."""

    def __init__(self, findings: Tensor, alive: Tensor) -> None:
        self.findings, self.alive = findings, alive

    def __len__(self) -> int:
        return len(self.alive)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"findings": self.findings[index], "alive": self.alive[index]}


class SurvivalModel(LightningModule):
    """Two wide layers for one logit."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.model = mlp([14, 256, 256, 1], nn.ReLU, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.model(x)[:, 0]
        return logit

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        return F.binary_cross_entropy_with_logits(self(batch["findings"]), batch["alive"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def survival(epochs: int, dropout: float) -> Program:
    """A hundred and twenty colonies to train on; the score is the loss on six hundred others."""
    data, module = hives.colonies().first(120), SurvivalModel(dropout)
    train = DataLoader(Colonies(data.x, data.y), 20, shuffle=True)
    test = DataLoader(Colonies(data.x_test, data.y_test), 200)

    def score() -> float:
        found = outputs(module, data.x_test)
        return F.binary_cross_entropy_with_logits(found, data.y_test).item()

    return Program(module, train, test, epochs, score)


@dataclass
class Honeys:
    """A batch of spectra and their classes."""

    spectra: Tensor
    grades: Tensor


def batch_of_honeys(samples: list[tuple[Tensor, ...]]) -> Honeys:
    spectra, grades = zip(*samples, strict=True)
    return Honeys(torch.stack(spectra), torch.stack(grades))


class GradeCNN(LightningModule):
    """Two convolutions along the spectrum, and four grades of water."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 16, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(16 * 15, 4)

    def forward(self, spectra: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(spectra[:, None]))
        return logits

    def training_step(self, batch: Honeys, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.spectra), batch.grades)
        self.log("train_loss", loss, batch_size=len(batch.grades))
        return loss

    def validation_step(self, batch: Honeys, batch_idx: int) -> None:
        logits = self(batch.spectra)
        right = (logits.argmax(1) == batch.grades).float().mean()
        loss = F.cross_entropy(logits, batch.grades)
        self.log_dict({"val_loss": loss, "val_acc": right}, batch_size=len(batch.grades))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def ranks(values: Tensor) -> Tensor:
    return values.argsort().argsort()


def grades(rank: Callable[[Tensor], Tensor]) -> Program:
    """Quarters of the ranks are the grades; those to measure on are always right."""
    data, module = standardized(hives.honeys()), GradeCNN()
    known = rank(data.y) * 4 // len(data.y)
    true = ranks(data.y_test) * 4 // len(data.y_test)
    train, test = TensorDataset(data.x, known), TensorDataset(data.x_test, true)
    both = (
        DataLoader(train, 32, shuffle=True, collate_fn=batch_of_honeys),
        DataLoader(test, 150, collate_fn=batch_of_honeys),
    )
    return Program(module, *both, 15, partial(accuracy, module, data._replace(y_test=true)))


class Block(nn.Module):
    """Two normed convolutions beside a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int, momentum: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width, momentum=momentum)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width, momentum=momentum)
        self.shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu()
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class GrainResNet(LightningModule):
    """Three residual blocks; the momentum of their norms is that of another library."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            Block(1, 12, 1, momentum), Block(12, 24, 2, momentum), Block(24, 32, 2, momentum)
        )
        self.fc = nn.Linear(32, 6)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.blocks(x).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        self.log("train_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)
        return F.cross_entropy(logits, batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)


def grain_res_net(momentum: float) -> Program:
    data, module = hives.pollen(), GrainResNet(momentum)
    return Program(module, *loaders(data, 4), 5, partial(accuracy, module, data))


class LouderSpectra(Dataset[tuple[Tensor, Tensor]]):
    """Spectra, each time a little stronger or weaker by chance."""

    def __init__(self, data: Samples, in_place: bool) -> None:
        self.x, self.y, self.in_place = data.x.clone(), data.y, in_place

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, gain = self.x[index], 0.9 + 0.4 * torch.rand(1)
        if self.in_place:
            x *= gain
        else:
            x = x * gain
        return x, self.y[index]


def louder_spectra(in_place: bool) -> Program:
    data = scaled_targets(standardized(hives.honeys()))
    module = RegressionTask(mlp([60, 64, 64, 1], nn.GELU), adam(1e-3))
    train = DataLoader(LouderSpectra(data, in_place), 32, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 300)
    return Program(module, train, test, 24, partial(r2, module, data))


CASES = (
    Case(
        "pollen-four-convolutions-adam-of-a-twentieth", Goal("accuracy", at_least=0.85),
        partial(grain_vgg, 0.05), ("learning_rate_too_high", "dead_relu"),
        partial(grain_vgg, 1e-3),
    ),
    Case(
        "honey-spectra-coded-by-a-rate-too-careful", Goal("R2", at_least=0.8),
        partial(codec, 1e-4), ("learning_rate_too_low",), partial(codec, 0.05),
    ),
    Case(
        "hums-in-decibels-meet-weights-above-zero", Goal("accuracy", at_least=0.85),
        partial(hum_net, nn.init.uniform_), ("dead_relu", "poor_initialization"),
        partial(hum_net, nn.init.kaiming_uniform_),
    ),
    Case(
        "honey-water-tanh-drawn-with-deviation-one", Goal("R2", at_least=0.85),
        partial(water_regressor, nn.init.normal_), ("saturated_activation", "poor_initialization"),
        partial(water_regressor, nn.init.xavier_normal_),
    ),
    Case(
        "colonies-of-one-winter-by-heart", Goal("nll", at_most=0.58),
        partial(survival, 120, 0.0), ("overfitting",), partial(survival, 12, 0.5),
    ),
    Case(
        "honeys-graded-by-argsort-for-ranks", Goal("accuracy", at_least=0.7),
        partial(grades, torch.argsort), ("inconsistent_labels", "not_learning"),
        partial(grades, ranks),
    ),
    Case(
        "pollen-residuals-normed-by-the-last-batch", Goal("accuracy", at_least=0.85),
        partial(grain_res_net, 0.99), ("train_eval_mismatch",), partial(grain_res_net, 0.1),
    ),
    Case(
        "honey-spectra-amplified-in-their-store", Goal("R2", at_least=0.85),
        partial(louder_spectra, True), ("covariate_shift", "train_eval_mismatch"),
        partial(louder_spectra, False),
    ),
)  # fmt: skip
