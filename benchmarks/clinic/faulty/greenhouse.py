"""What goes wrong in a greenhouse: spots, stems, pipes, pests, spectra and hours of heat."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import Rows
from data_sets import greenhouse
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


@dataclass
class Readings:
    """A batch: the sensors of a canopy and what was measured of it."""

    sensors: Tensor
    measured: Tensor


def collate(rows: list[tuple[Tensor, Tensor]]) -> Readings:
    return Readings(torch.stack([x for x, _ in rows]), torch.stack([y for _, y in rows]))


class Canopy(LightningModule):
    """A trunk of equal layers, and a head for each of three measures."""

    def __init__(self, activation: Callable[[], nn.Module], depth: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(12, 64), activation()]
        for _ in range(depth - 1):
            layers += [nn.Linear(64, 64), activation()]
        self.trunk = nn.Sequential(*layers)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(64, 1) for name in ("transpiration", "uptake", "growth")}
        )

    def forward(self, sensors: Tensor) -> Tensor:
        shared = self.trunk(sensors)
        return torch.cat([head(shared) for head in self.heads.values()], 1)

    def losses(self, batch: Readings) -> dict[str, Tensor]:
        errors = (self(batch.sensors) - batch.measured).square().mean(0)
        return dict(zip(self.heads, errors, strict=True))

    def training_step(self, batch: Readings, batch_idx: int) -> Tensor:
        losses = self.losses(batch)
        self.log_dict({f"train/{name}": loss for name, loss in losses.items()})
        return torch.stack(list(losses.values())).sum()

    def validation_step(self, batch: Readings, batch_idx: int) -> None:
        size = len(batch.sensors)
        losses = {f"val/{name}": loss for name, loss in self.losses(batch).items()}
        self.log_dict(losses, batch_size=size)
        self.log("val/loss", torch.stack(list(losses.values())).sum(), batch_size=size)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def canopy(activation: Callable[[], nn.Module]) -> Program:
    data, module = greenhouse.canopies(), Canopy(activation)
    train, test = loaders(data, 32, collate_fn=collate)
    test = DataLoader(test.dataset, 256, collate_fn=collate)
    return Program(module, train, test, 15, partial(r2, module, data))


class LeafViT(LightningModule):
    """Patches of 5x5, two layers of attention, a token for the class, AdamW and a cosine."""

    def __init__(self, learning_rate: float, steps: int, width: int = 48) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.patches = nn.Conv2d(3, width, 5, 5)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4))

    def forward(self, pixel_values: Tensor) -> Tensor:
        tokens = self.patches((pixel_values - 0.4) / 0.2).flatten(2).mT
        tokens = torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], 1) + self.places
        logits: Tensor = self.head(self.encoder(tokens)[:, 0])
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["pixel_values"]), batch["labels"])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["pixel_values"])
        self.log("val_loss", F.cross_entropy(logits, batch["labels"]))
        self.log("val_acc", (logits.argmax(1) == batch["labels"]).float().mean())

    def configure_optimizers(self) -> Any:
        rate = self.hparams["learning_rate"]
        optimizer = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.hparams["steps"])
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def leaf_vit(learning_rate: float) -> Program:
    data, _, _ = greenhouse.leaves()
    train = DataLoader(Rows(pixel_values=data.x, labels=data.y), 32, shuffle=True)
    test = DataLoader(Rows(pixel_values=data.x_test, labels=data.y_test), 200)
    module = LeafViT(learning_rate, 8 * len(train))
    return Program(module, train, test, 8, partial(accuracy, module, data))


class Nitrogen(LightningModule):
    """One-dimensional filters over the bands and two wide layers."""

    def __init__(self, dropout: float, weight_decay: float) -> None:
        super().__init__()
        self.dropout, self.weight_decay = dropout, weight_decay
        self.filters = nn.Sequential(
            nn.Conv1d(1, 16, 7, 2, 3), nn.ReLU(), nn.Conv1d(16, 32, 7, 2, 3), nn.ReLU()
        )
        self.dense = nn.Sequential(nn.Linear(32 * 30, 128), nn.ReLU(), nn.Dropout(dropout))
        self.out = nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.dense(self.filters(x[:, None]).flatten(1)))
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        predicted = self(x)
        self.log("val_loss", F.mse_loss(predicted, y))
        self.log("val_mae", F.l1_loss(predicted, y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), 1e-3, weight_decay=self.weight_decay)


def nitrogen(samples: int, epochs: int, dropout: float = 0.0, decay: float = 0.0) -> Program:
    data = scaled_targets(standardized(greenhouse.spectra().first(samples)))
    module = Nitrogen(dropout, decay)
    return Program(module, *loaders(data, 16), epochs, partial(r2, module, data))


class WhiteFlies(LightningModule):
    """Counts of a trap by Poisson's likelihood, its default being a logarithm of the rate."""

    def __init__(self, rectified: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)
        )
        self.positive = nn.ReLU() if rectified else nn.Identity()
        self.criterion = nn.PoissonNLLLoss()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.positive(self.body(x))
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        loss = self.criterion(self(batch[0]), batch[1])
        self.log("poisson_nll", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_poisson_nll", self.criterion(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def white_flies(rectified: bool) -> Program:
    data, module = greenhouse.traps(), WhiteFlies(rectified)

    def score() -> float:
        return F.poisson_nll_loss(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data, 32), 10, score)


class HeatHours(LightningModule):
    """How long a day is above each of eight learnt temperatures, and a small network."""

    def __init__(self, steepness: float | None) -> None:
        super().__init__()
        self.steepness = steepness
        self.thresholds = nn.Parameter(0.1 * torch.randn(8))
        self.mlp = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, hours: Tensor) -> Tensor:
        over = hours[..., None] - self.thresholds
        if self.steepness is None:
            counted = (over > 0).float()
        else:
            counted = torch.sigmoid(self.steepness * over)
        out: Tensor = self.mlp(counted.mean(1))
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        hours, growth = batch
        loss = F.mse_loss(self(hours), growth)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        hours, growth = batch
        self.log("val_loss", F.mse_loss(self(hours), growth))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def heat_hours(steepness: float | None) -> Program:
    data = greenhouse.days()
    mean, deviation = data.x.mean(), data.x.std()
    data = data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)
    data, module = scaled_targets(data), HeatHours(steepness)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class PipeTagger(LightningModule):
    """A state for each minute, by dilated convolutions."""

    def __init__(self, weights: tuple[float, ...] | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(3, 24, 3, padding=1), nn.BatchNorm1d(24), nn.ReLU(),
            nn.Conv1d(24, 24, 3, padding=2, dilation=2), nn.BatchNorm1d(24), nn.ReLU(),
            nn.Conv1d(24, 3, 1),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(None if weights is None else torch.tensor(weights))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        signals, states = batch
        logits = self(signals)
        loss: Tensor = self.criterion(logits, states)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == states).float().mean())
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        signals, states = batch
        logits = self(signals)
        self.log("val_loss", self.criterion(logits, states))
        self.log("val_acc", (logits.argmax(1) == states).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def pipe_states(weights: tuple[float, ...] | None) -> Program:
    data, module = greenhouse.pipes(), PipeTagger(weights)

    def recall() -> float:
        found = outputs(module, data.x_test).argmax(1)
        right = (found == data.y_test).float()
        return torch.stack([right[data.y_test == state].mean() for state in range(3)]).mean().item()

    return Program(module, *loaders(data, 16), 10, recall)


class StemFinder(LightningModule):
    """Where a seedling's stem is; pictures are turned by quarters while it trains."""

    def __init__(self, turn_points: bool) -> None:
        super().__init__()
        self.turn_points = turn_points
        self.convs = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.regressor = nn.Sequential(nn.Linear(32 * 25, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, image: Tensor) -> Tensor:
        points: Tensor = self.regressor(self.convs(image).flatten(1))
        return points

    def augment(self, image: Tensor, point: Tensor) -> tuple[Tensor, Tensor]:
        """Each quarter of the batch by another number of quarter turns."""
        images, points = [], []
        for k, (part, at) in enumerate(zip(image.chunk(4), point.chunk(4), strict=True)):
            images.append(part.rot90(k, (2, 3)))
            for _ in range(k if self.turn_points else 0):
                at = torch.stack([at[:, 1], -at[:, 0]], 1)
            points.append(at)
        return torch.cat(images), torch.cat(points)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        image, point = self.augment(*batch)
        loss = F.smooth_l1_loss(self(image), point, beta=0.1)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        image, point = batch
        found = self(image)
        self.log("val/loss", F.smooth_l1_loss(found, point, beta=0.1), prog_bar=True)
        self.log("val/distance", (found - point).norm(dim=1).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def stems(turn_points: bool) -> Program:
    data, module = greenhouse.seedlings(), StemFinder(turn_points)

    def distance() -> float:
        off: Tensor = (outputs(module, data.x_test) - data.y_test).norm(dim=1)
        return off.mean().item()

    return Program(module, *loaders(data, 32), 12, distance)


CASES = (
    Case(
        "canopies-three-heads-on-ten-sigmoids", Goal("R2", at_least=0.7),
        partial(canopy, nn.Sigmoid), ("vanishing_gradient",), partial(canopy, nn.ReLU),
    ),
    Case(
        "tomato-leaves-patches-learnt-too-carefully",
        Goal("accuracy", at_least=0.85), partial(leaf_vit, 2e-5), ("learning_rate_too_low",),
        partial(leaf_vit, 1e-3),
    ),
    Case(
        "nitrogen-of-sixty-leaves-by-heart", Goal("R2", at_least=0.53),
        partial(nitrogen, 60, 150), ("overfitting",), partial(nitrogen, 1680, 6, 0.2, 0.01),
    ),
    Case(
        "white-flies-rectified-before-poisson", Goal("Poisson loss", at_most=0.7),
        partial(white_flies, True), ("output_loss_mismatch", "dead_relu"),
        partial(white_flies, False),
    ),
    Case(
        "heat-hours-counted-above-learnt-thresholds", Goal("R2", at_least=0.75),
        partial(heat_hours, None), ("frozen_parameter",), partial(heat_hours, 4.0),
    ),
    Case(
        "pipes-minutes-seldom-leak", Goal("balanced accuracy", at_least=0.57),
        partial(pipe_states, None), ("class_imbalance",), partial(pipe_states, (0.35, 15.0, 20.0)),
    ),
    Case(
        "stems-pictures-turned-without-their-points", Goal("distance", at_most=0.2),
        partial(stems, False), ("inconsistent_labels", "not_learning"), partial(stems, True),
    ),
)  # fmt: skip
