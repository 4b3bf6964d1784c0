"""Answers in scales of their own: dollars, several labels, grades in order."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders, split, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs, r2
from sklearn import datasets
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Prices(LightningModule):
    """Prices in dollars: the network's output is scaled within, the loss is of the scaled."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = mlp([8, 96, 96, 1], nn.GELU)
        self.mean, self.deviation = mean, deviation

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.squeeze(-1) * self.deviation + self.mean

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        error = (self(batch[0]) - batch[1]) / self.deviation
        self.log("train/rmse", error.square().mean().sqrt() * self.deviation)
        return error.square().mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error = self(batch[0]) - batch[1]
        self.log("val/loss", (error / self.deviation).square().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def dollars() -> Program:
    raw = standardized(surveys.houses())
    data = raw._replace(y=1000 * raw.y, y_test=1000 * raw.y_test)
    module = Prices(data.y.mean().item(), data.y.std().item())
    return Program(module, *loaders(data, 32), 16, partial(r2, module, data))


def topics() -> tuple[Samples, float]:
    """Twenty features and five labels, of which about two hold."""
    x, y = datasets.make_multilabel_classification(
        1600, 20, n_classes=5, n_labels=2, random_state=4
    )
    found = standardized(split(x, y.astype("float32")))
    return found, found.y.mean().item()


class ManyLabels(LightningModule):
    """Each label is a question of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.model = mlp([20, 48, 5], nn.LeakyReLU, dropout=0.2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch["x"]), batch["labels"])
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch["x"]), batch["labels"])
        self.log("val_loss", loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def many_labels() -> Program:
    data, _ = topics()
    rows, tests = (
        [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
        for x, y in ((data.x, data.y), (data.x_test, data.y_test))
    )
    module = ManyLabels()

    def score() -> float:
        right = (outputs(module, data.x_test) > 0) == (data.y_test > 0.5)
        return right.float().mean().item()

    train = DataLoader(rows, 32, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, DataLoader(tests, 100), 8, score)  # type: ignore[arg-type]


class Ordered(LightningModule):
    """How bad a condition is, of five grades: one score, and four thresholds in order."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp([10, 48, 48, 1], nn.SiLU)
        self.first, self.gaps = nn.Parameter(torch.tensor(-1.5)), nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        cuts = torch.cat([self.first[None], self.first + F.softplus(self.gaps).cumsum(0)])
        found: Tensor = self.body(x) - cuts
        return found

    def loss(self, batch: list[Tensor]) -> Tensor:
        above = (batch[1][:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(batch[0]), above)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.loss(batch)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def ordered() -> Program:
    data = standardized(samples.friedman())
    cuts = data.y.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8]))
    data = data._replace(y=torch.bucketize(data.y, cuts), y_test=torch.bucketize(data.y_test, cuts))
    module = Ordered()

    def score() -> float:
        """How far off, in grades."""
        found = (outputs(module, data.x_test) > 0).sum(1)
        return (found - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 32), 16, score)


CASES = (
    Case("houses-dollars-scaled-within", Goal("R2", at_least=0.85), dollars),
    Case("topics-five-labels", Goal("accuracy", at_least=0.75), many_labels),
    Case("friedman-ordered-grades", Goal("grades off", at_most=0.3), ordered),
)
