"""What students and those who compete write: tables, prices, ensembles, kernels and margins."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys, wards
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import binary_accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class TableBlock(nn.Module):
    """What is added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.BatchNorm1d(width), nn.Linear(width, 2 * width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(2 * width, width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class TableNet(LightningModule):
    """Residual blocks for tables, as found to be a strong baseline; in bfloat16."""

    def __init__(self, features: int, width: int = 64, blocks: int = 3) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(features, width), *(TableBlock(width) for _ in range(blocks)),
            nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.model(x)
        return logit.flatten()

    def _step(self, batch: list[Tensor], stage: str) -> Tensor:
        x, y = batch
        logit = self(x)
        loss = F.binary_cross_entropy_with_logits(logit, y.float())
        self.log(f"{stage}_logloss", loss, on_epoch=True, on_step=False)
        self.log(f"{stage}_acc", ((logit > 0) == y).float().mean(), on_epoch=True, on_step=False)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self._step(batch, "tr")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self._step(batch, "va")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), weight_decay=1e-2)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def collisions() -> Program:
    data = wards.collisions()
    module = TableNet(12)
    return Program(
        module, *loaders(data, 256), 10, partial(binary_accuracy, module, data),
        {"precision": "bf16-mixed"},
    )  # fmt: skip


class Income(LightningModule):
    """Two passes over a large table, and no more: embeddings, then a net."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, min(8, n // 2)) for n in wards.LEVELS)
        self.drop = nn.Dropout(0.05)
        self.net = mlp([24, 64, 32, 2], norm=nn.BatchNorm1d)

    def forward(self, levels: Tensor, numbers: Tensor) -> Tensor:
        found = [table(levels[:, i]) for i, table in enumerate(self.tables)]
        logits: Tensor = self.net(torch.cat([self.drop(torch.cat(found, 1)), numbers], 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        levels, numbers, more = batch
        loss = F.cross_entropy(self(levels, numbers), more)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        levels, numbers, more = batch
        self.log("valid_loss", F.cross_entropy(self(levels, numbers), more))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def income() -> Program:
    everything = wards.incomes()
    train = TensorDataset(*(t[:13_000] for t in everything))
    test = TensorDataset(*(t[13_000:] for t in everything))
    module = Income()

    def score() -> float:
        levels, numbers, more = test.tensors
        module.eval()
        with torch.no_grad():
            return float(roc_auc_score(more, module(levels, numbers).softmax(1)[:, 1]))

    return Program(module, DataLoader(train, 64, shuffle=True), DataLoader(test, 500), 2, score)


class Prices(LightningModule):
    """Logarithms of prices around twelve; the last bias begins at their mean."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mlp = mlp([8, 64, 64, 1], nn.ELU)
        nn.init.constant_(self.mlp[-1].bias, mean)

    def forward(self, x: Tensor) -> Tensor:
        price: Tensor = self.mlp(x)
        return price[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = torch.sqrt(F.mse_loss(self(x), y) + 1e-8)
        self.log("rmsle", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("cv_rmsle", torch.sqrt(F.mse_loss(self(x), y)))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=2)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "cv_rmsle"},
        }  # fmt: skip


def prices() -> Program:
    data = standardized(surveys.houses())
    data = data._replace(
        y=(1000 * data.y).clamp(min=1).log1p(), y_test=(1000 * data.y_test).clamp(min=1).log1p()
    )
    module = Prices(data.y.mean().item())
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


class Bagged(LightningModule):
    """Six nets, each with other columns and other weights of the rows; the mean is the answer."""

    def __init__(self, features: int, rows: int, members: int = 6) -> None:
        super().__init__()
        self.register_buffer("columns", (torch.rand(members, features) < 0.75).float())
        self.register_buffer("times", torch.poisson(torch.ones(members, rows)))
        self.members = nn.ModuleList(mlp([features, 24, 1], nn.Tanh) for _ in range(members))

    def each(self, x: Tensor) -> Tensor:
        found = [member(x * c) for member, c in zip(self.members, self.columns, strict=True)]
        return torch.cat(found, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.each(x).sigmoid().mean(1).logit()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y, row = batch
        target = y.float()[:, None].expand(-1, len(self.members))
        each = F.binary_cross_entropy_with_logits(self.each(x), target, reduction="none")
        loss = (self.times[:, row].T * each).mean(0).sum()
        self.log("sum_of_members", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("ensemble_nll", F.binary_cross_entropy_with_logits(self(x), y.float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def bagged() -> Program:
    data = wards.bloods_scaled()
    module = Bagged(8, len(data.x))
    rows = TensorDataset(data.x, data.y, torch.arange(len(data.x)))
    train = DataLoader(rows, 64, shuffle=True)
    return Program(
        module, train, loaders(data, 64)[1], 8,
        lambda: float(roc_auc_score(data.y_test, outputs(module, data.x_test))),
    )  # fmt: skip


CASES = (
    Case("collisions-residual-table-in-bfloat16", Goal("accuracy", at_least=0.8), collisions),
    Case("incomes-two-passes-of-embeddings", Goal("AUROC", at_least=0.85), income),
    Case("houses-logarithms-from-their-mean", Goal("R2", at_least=0.8), prices),
    Case("bloods-six-nets-bagged", Goal("AUROC", at_least=0.82), bagged),
)
