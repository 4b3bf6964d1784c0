"""Models of a utility's analysts that do what can be done."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import energy
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

QUANTILES = (0.1, 0.5, 0.9)


def pinball(found: Tensor, target: Tensor) -> Tensor:
    """Mean over the quantiles, which are the last axis."""
    levels = torch.tensor(QUANTILES)
    error = target.unsqueeze(-1) - found
    return torch.maximum(levels * error, (levels - 1) * error).mean()


class QuantileGRU(LightningModule):
    """Three quantiles of the net load for each of the next hours, decoded step by step."""

    def __init__(self, horizon: int = 6) -> None:
        super().__init__()
        self.horizon = horizon
        self.encoder = nn.GRU(3, 32, batch_first=True)
        self.decoder, self.head = nn.GRUCell(1, 32), nn.Linear(32, len(QUANTILES))

    def forward(self, window: Tensor) -> Tensor:
        _, hidden = self.encoder(window)
        state, last, found = hidden[-1], window[:, -1, :1], []
        for _ in range(self.horizon):
            state = self.decoder(last, state)
            quantiles = self.head(state)
            last = quantiles[:, 1:2]
            found.append(quantiles)
        return torch.stack(found, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = pinball(self(batch[0]), batch[1])
        self.log("train_pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", pinball(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, factor=0.5)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_pinball"},
        }


def quantiles() -> Program:
    data, module = energy.feeder(), QuantileGRU()

    def score() -> float:
        return pinball(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data, 64), 15, score, {"gradient_clip_val": 0.5})


class Windows(Dataset[dict[str, Tensor]]):
    """Windows of a house's power and what the refrigerator takes at their middle."""

    def __init__(self, mains: Tensor, appliance: Tensor) -> None:
        self.mains, self.appliance = mains, appliance

    def __len__(self) -> int:
        return len(self.mains)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"mains": self.mains[index], "appliance": self.appliance[index]}


class Seq2Point(LightningModule):
    """The refrigerator is off for more than half of the time, so many targets are zero."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 24, 9, padding=4), nn.ReLU(), nn.Conv1d(24, 24, 7, padding=3), nn.ReLU(),
            nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(32 * 64, 64), nn.ReLU())
        self.out = nn.Linear(64, 1)

    def forward(self, mains: Tensor) -> Tensor:
        power: Tensor = self.out(self.dense(self.conv(mains)))
        return power.squeeze(1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch["mains"]), batch["appliance"])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        found = self(batch["mains"])
        self.log("val_loss", F.mse_loss(found, batch["appliance"]))
        self.log("val_mae", F.l1_loss(found, batch["appliance"]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def scaled(data: Samples) -> Samples:
    """As in the paper: the mains less their mean in units of 0.8 kW, the appliance of 0.07 kW."""
    x, x_test = ((x - 0.5) / 0.8 for x in (data.x, data.x_test))
    return Samples(x, data.y / 0.07, x_test, data.y_test / 0.07)


def refrigerators() -> Program:
    data, module = scaled(energy.household()), Seq2Point()
    train = DataLoader(Windows(data.x, data.y), 64, shuffle=True)
    test = DataLoader(Windows(data.x_test, data.y_test), 256)
    return Program(module, train, test, 20, partial(r2, module, data))


def double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
    )  # fmt: skip


class HotCells(LightningModule):
    """A small U-Net for hot cells, a few hundredths of the pixels; soft Dice beside the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.bottom, self.up = double(1, 8), double(8, 16), double(24, 8)
        self.pool, self.upsample = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.down(image)
        coarse = self.upsample(self.bottom(self.pool(fine)))
        logits: Tensor = self.head(self.up(torch.cat([fine, coarse], 1)))
        return logits

    def loss(self, batch: list[Tensor]) -> Tensor:
        logits, mask = self(batch[0]), batch[1]
        found = logits.sigmoid()
        dice = 1 - (2 * (found * mask).sum() + 1) / (found.sum() + mask.sum() + 1)
        loss: Tensor = F.binary_cross_entropy_with_logits(logits, mask) + dice
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def hot_cells() -> Program:
    data, module = energy.modules(), HotCells()

    def overlap() -> float:
        found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
        return ((found & true).sum() / (found | true).sum()).item()

    return Program(module, *loaders(data, 16), 6, overlap)


class GridLayer(nn.Module):
    """A bus's own state and the mean of its neighbours'."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.own, self.others = nn.Linear(before, after), nn.Linear(before, after, bias=False)

    def forward(self, state: Tensor, lines: Tensor) -> Tensor:
        shared = lines @ state / lines.sum(2, keepdim=True)
        out: Tensor = self.own(state) + self.others(shared)
        return out


class GridGNN(LightningModule):
    """Drops of voltage at all buses of a grid at once."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [GridLayer(2, width), GridLayer(width, width), GridLayer(width, width)]
        )
        self.readout = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        state, lines = x[..., :2], x[..., 2:]
        for layer in self.layers:
            state = F.elu(layer(state, lines))
        drops: Tensor = self.readout(state).squeeze(2)
        return drops

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=1e-5)


def voltages() -> Program:
    data, module = energy.grids(), GridGNN()
    return Program(module, *loaders(data, 16), 15, partial(r2, module, data))


class EventTransformer(LightningModule):
    """The kind of a disturbance; a first token gathers, the classes weigh by their rarity."""

    def __init__(self, weight: Tensor, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.inputs = nn.Linear(2, 32)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.position = nn.Parameter(0.02 * torch.randn(1, 33, 32))
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 4))
        self.criterion = nn.CrossEntropyLoss(weight)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.token.expand(len(x), -1, -1), self.inputs(x)], 1)
        logits: Tensor = self.head(self.encoder(tokens + self.position)[:, 0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.criterion(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        warm, rest = self.steps // 10, self.steps

        def factor(step: int) -> float:
            return min((step + 1) / warm, (rest - step) / (rest - warm))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def disturbances(epochs: int = 8) -> Program:
    data = energy.disturbances()
    both = loaders(data, 64)
    weight = len(data.y) / (4 * data.y.bincount(minlength=4))
    module = EventTransformer(weight, epochs * len(both[0]))
    return Program(module, *both, epochs, partial(balanced_accuracy, module, data))


class CycleLife(LightningModule):
    """Few batteries: a small network, half of whose units are dropped, and a strong decay."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(24, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 32), nn.ReLU(),
            nn.Dropout(0.3), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        life: Tensor = self.net(x)
        return life.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch[0]), batch[1])
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.1)


def cycle_lives() -> Program:
    data, module = energy.cells(), CycleLife()
    return Program(module, *loaders(data, 16), 40, partial(r2, module, data))


class RampModel(LightningModule):
    """Mean and logarithm of the variance of a change that can hardly be forecast."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.mean, self.log_variance = nn.Linear(48, 1), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.mean(self.trunk(x))
        return mean.squeeze(1)

    def loss(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        hidden = self.trunk(x)
        mean, variance = self.mean(hidden).squeeze(1), self.log_variance(hidden).squeeze(1).exp()
        return F.gaussian_nll_loss(mean, y, variance, eps=1e-4)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_nll", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def ramps() -> Program:
    data, module = energy.ramps(), RampModel()
    return Program(module, *loaders(data, 64), 10, partial(r2, module, data))


CASES = (
    Case("feeders-quantiles-decoded-hour-by-hour", Goal("pinball loss", at_most=0.05), quantiles),
    Case("refrigerators-told-from-the-whole-house", Goal("R2", at_least=0.7), refrigerators),
    Case("panels-hot-cells-in-infrared", Goal("overlap", at_least=0.65), hot_cells),
    Case("grids-drops-of-voltage-by-messages", Goal("R2", at_least=0.85), voltages),
    Case("disturbances-rare-kinds-weighed", Goal("balanced accuracy", at_least=0.85), disturbances),
    Case("batteries-lives-of-ninety-cells", Goal("R2", at_least=0.45), cycle_lives),
    Case("wind-ramps-hardly-foretold", Goal("R2", at_least=0.12), ramps),
)
