"""Programs on what instruments measure: tables, signals, spectra."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import fabricated
from data_sets.samples import Samples, loaders, split, standardized
from lightning.pytorch import LightningModule
from modules import BinaryModel, adam, mlp, reset, sgd
from programs import regression
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


def wells(scaled: bool = False) -> Program:
    data = standardized(fabricated.wells()) if scaled else fabricated.wells()
    return regression(data, mlp([6, 64, 64, 1]), adam(1e-3), batch_size=16, epochs=15)


class PulseNet(LightningModule):
    """Convolutions over one channel; ``weight`` is that of the classes."""

    def __init__(
        self, optimizer: Callable[..., Any], weight: Tensor | None = None, width: int = 16
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, width, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(width, 2 * width, 7, padding=3), nn.ReLU(), nn.AdaptiveMaxPool1d(2),
        )  # fmt: skip
        self.classifier = nn.Linear(4 * width, 4)
        self.register_buffer("weight", weight)
        self.optimizer = optimizer

    def forward(self, signal: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(signal).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        signal, kind = batch
        loss = F.cross_entropy(self(signal), kind, weight=self.weight)
        self.log("loss/train", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("loss/val", F.cross_entropy(logits, batch[1], weight=self.weight))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def counts(centred: bool = False) -> Program:
    """What a converter of 12 bits counts: 0 volts are 2048, a volt is 60."""
    data = fabricated.pulses(noise=0.2)
    if not centred:
        data = data.with_inputs(2048 + (60 * data.x).round(), 2048 + (60 * data.x_test).round())
    module = PulseNet(sgd(0.05, 0.9))
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


def mostly_ordinary(weighted: bool = False) -> Program:
    """Of a hundred pulses, ninety-four are of the first kind."""
    shares = (0.94, 0.02, 0.02, 0.02)
    data = fabricated.pulses(shares, count=2600, noise=0.45)
    weight = 1 / torch.bincount(data.y).float()
    module = PulseNet(adam(1e-3), weight / weight.mean() if weighted else None, 12)
    return Program(
        module, *loaders(data, 64), 10, partial(balanced_accuracy, module, data),
        {"precision": "bf16-mixed"},
    )  # fmt: skip


def defects(count: int = 5000) -> Samples:
    """Sixteen readings of castings, one in forty of which is defect."""
    generator = torch.Generator().manual_seed(79)
    x = torch.randn(count, 16, generator=generator)
    score = x[:, 0] * x[:, 1] + x[:, 2] - 0.8 * x[:, 3] + torch.randn(count, generator=generator)
    return split(x, (score > score.quantile(0.975)).long())


def castings(weighted: bool = False) -> Program:
    data = defects()
    weight = torch.tensor(39.0 if weighted else 1.0)
    network = mlp([16, 64, 64, 64, 1], nn.GELU, dropout=0.1)
    module = BinaryModel(network, sgd(0.02, 0.9), nn.BCEWithLogitsLoss(pos_weight=weight))
    return Program(module, *loaders(data, 128), 12, partial(balanced_accuracy, module, data))


def encoded_by_file(once: bool = False, files: int = 8) -> Program:
    """The kinds of each file are numbered in the order in which they appear in it."""
    data = fabricated.pulses(noise=0.25)
    if not once:
        parts = []
        for part in data.y.chunk(files):
            seen = list(dict.fromkeys(part.tolist()))
            parts.append(torch.tensor([seen.index(kind) for kind in part.tolist()]))
        data = data._replace(y=torch.cat(parts))
    module = PulseNet(adam(2e-3))
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Calibration(LightningModule):
    """Protein by a spectrum's 200 bands."""

    def __init__(self, network: nn.Module, lr: float, decay: float) -> None:
        super().__init__()
        self.save_hyperparameters("lr", "decay")
        self.network = network

    def forward(self, spectrum: Tensor) -> Tensor:
        found: Tensor = self.network(spectrum)
        return found.squeeze(1)

    def shared_step(self, batch: list[Tensor], name: str) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log(name, loss, prog_bar=True)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train_loss")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val_loss")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr, decay = self.hparams["lr"], self.hparams["decay"]
        return torch.optim.AdamW(self.parameters(), lr=lr, weight_decay=decay)


def calibrated(
    sizes: tuple[int, ...] = (200, 256, 256, 1), dropout: float = 0.0, epochs: int = 40,
    rows: int = 120, noise: float = 0.8,
) -> Program:  # fmt: skip
    data = fabricated.spectra(noise=noise).first(rows)
    module = Calibration(mlp(sizes, nn.SiLU, dropout=dropout), 1e-3, 1e-4)
    return Program(module, *loaders(data, 8), epochs, partial(r2, module, data))


def dropped(rate: float = 0.8) -> Program:
    data = standardized(fabricated.wells())
    module = Calibration(mlp([6, 48, 48, 48, 48, 1], nn.ReLU, dropout=rate), 1e-3, 0.01)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class Deep(nn.Module):
    """Ten layers, each added to what it gets."""

    def __init__(self, activation: Callable[[Tensor], Tensor] | None, width: int = 32) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, width), nn.Linear(width, 1)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(10))
        self.activation = activation or nn.Identity()
        reset(self.layers, partial(nn.init.normal_, std=0.05))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.layers:
            x = x + self.activation(layer(x))
        logits: Tensor = self.last(x)
        return logits


def arms(activation: Callable[[Tensor], Tensor] | None = None) -> Program:
    data = fabricated.spirals()
    module = BinaryModel(Deep(activation), partial(torch.optim.NAdam, lr=2e-3))
    return Program(module, *loaders(data, 32), 18, partial(binary_accuracy, module, data))


class PerSubject(LightningModule):
    """Batch norm behind each layer; a batch holds what one sensor measured."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([12, 64, 64, 3], nn.ReLU, norm=nn.BatchNorm1d)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0].flatten(0, -2)), batch[1].flatten())
        self.log("sensor_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("sensor_val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def sensors(mixed: bool = False) -> Program:
    """Forty sensors of 32 rows; where a sensor stands shifts all of its rows."""
    generator = torch.Generator().manual_seed(80)
    y = torch.randint(3, (60, 32), generator=generator)
    centers = torch.randn(3, 12, generator=generator)
    places = torch.randn(3, 12, generator=generator)
    x = centers[y] + 2 * torch.randn(60, 1, 3, generator=generator) @ places
    x = x + 0.7 * torch.randn(60, 32, 12, generator=generator)
    data = Samples(x[:40], y[:40], x[40:].flatten(0, 1), y[40:].flatten())
    if mixed:
        data = data._replace(x=data.x.flatten(0, 1), y=data.y.flatten())
    train: Any = list(zip(data.x, data.y, strict=True))
    test: Any = list(zip(data.x_test, data.y_test, strict=True))
    module = PerSubject()
    both = DataLoader(train, 32 if mixed else 1, shuffle=True), DataLoader(test, 256)
    return Program(module, *both, 15, partial(accuracy, module, data))


CASES = (
    Case(
        "wells-in-feet-and-pascals", Goal("R2", at_least=0.8), wells, ("unnormalized_input",),
        partial(wells, True),
    ),
    Case(
        "pulses-counted-around-2048", Goal("accuracy", at_least=0.9), counts,
        ("unnormalized_input",), partial(counts, True),
    ),
    Case(
        "pulses-mostly-ordinary", Goal("balanced accuracy", at_least=0.75), mostly_ordinary,
        ("class_imbalance",), partial(mostly_ordinary, True),
    ),
    Case(
        "castings-few-are-defect", Goal("balanced accuracy", at_least=0.75), castings,
        ("class_imbalance",), partial(castings, True),
    ),
    Case(
        "pulses-encoded-by-file", Goal("accuracy", at_least=0.9), encoded_by_file,
        ("inconsistent_labels", "not_learning", "overfitting"), partial(encoded_by_file, True),
    ),
    Case(
        "spectra-few-by-heart", Goal("R2", at_least=0.45), calibrated, ("overfitting",),
        partial(calibrated, (200, 16, 1), 0.5, 20),
    ),
    Case(
        "wells-dropout-of-four-fifths", Goal("R2", at_least=0.8), dropped, ("over_regularized",),
        partial(dropped, 0.0),
    ),
    Case(
        "spirals-ten-added-layers-linear", Goal("accuracy", at_least=0.95), arms,
        ("linear_network",), partial(arms, F.relu),
    ),
    Case(
        "sensors-one-to-a-batch", Goal("accuracy", at_least=0.75), sensors,
        ("train_eval_mismatch",), partial(sensors, True),
    ),
)  # fmt: skip
