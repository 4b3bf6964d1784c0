"""What a course's assistant shows its students: notebooks on loans, flats, flowers and bottles."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, studio
from data_sets.samples import loaders, split, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, sgd
from programs import classification
from scores import binary_accuracy, outputs
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class FlatPrices(LightningModule):
    """Embedded districts beside columns; absolute errors of logarithms, and nothing validated."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(160, 8)
        self.net = mlp([13, 64, 32, 1], nn.SiLU)

    def forward(self, district: Tensor, columns: Tensor) -> Tensor:
        out: Tensor = self.net(torch.cat([self.emb(district), columns], 1))
        return out[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        district, columns, price = batch
        return F.l1_loss(self(district, columns), price.log())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2, weight_decay=1e-3)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def flat_prices() -> Program:
    district, columns, price, cut = studio.flats()
    module = FlatPrices()
    train = TensorDataset(district[:cut], columns[:cut], price[:cut])

    @torch.no_grad()
    def score() -> float:
        wrong = module.eval()(district[cut:], columns[cut:]) - price[cut:].log()
        return (1 - wrong.square().mean() / price[cut:].log().var()).item()

    return Program(module, DataLoader(train, 64, shuffle=True), None, 15, score)


class Defaults(LightningModule):
    """Judged by the area under the curve, as the competition is."""

    def __init__(self) -> None:
        super().__init__()
        self.model = mlp([13, 64, 32, 1], norm=nn.BatchNorm1d, dropout=0.2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out.flatten()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(self(x), y.float())
        self.log("loss", loss, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.binary_cross_entropy_with_logits(logits, y.float()))
        if 0 < y.sum() < len(y):
            self.log("val_auc", float(roc_auc_score(y.numpy(), logits.numpy())))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def ranked_defaults() -> Program:
    data = standardized(studio.loans(0.11, 8000))
    module = Defaults()

    def score() -> float:
        return float(roc_auc_score(data.y_test.numpy(), outputs(module, data.x_test).numpy()))

    return Program(module, *loaders(data, 128), 10, score)


def iris_at_once() -> Program:
    """All flowers in every step, two hundred times."""
    data = standardized(samples.iris())
    return classification(
        data, mlp([4, 16, 3]), adam(0.01), batch_size=len(data.x), epochs=150,
        trainer={"log_every_n_steps": 1, "check_val_every_n_epoch": 10},
    )  # fmt: skip


class ExclusiveOr(LightningModule):
    """The first net of the course: tanh, one output, and a rate of one half."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.hidden(x))).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.5)


def exclusive_or() -> Program:
    generator = torch.Generator().manual_seed(95)
    corners = torch.randint(2, (1000, 2), generator=generator)
    x = 2.0 * corners - 1 + 0.35 * torch.randn(1000, 2, generator=generator)
    data = split(x, corners.sum(1) % 2)
    module = ExclusiveOr()
    train, _ = loaders(data, 50)
    return Program(module, train, None, 30, partial(binary_accuracy, module, data))


def tasted() -> Program:
    """Little can be known, and little is: the loss stays high and the net is right."""
    return classification(
        studio.bottles(), mlp([8, 32, 5], dropout=0.1), adam(3e-3, weight_decay=1e-4),
        batch_size=64, epochs=10, trainer={"gradient_clip_val": 1.0},
    )  # fmt: skip


def logistic() -> Program:
    """One layer and two passes in batches of sixteen."""
    return classification(
        standardized(studio.loans()), nn.Linear(13, 2), sgd(0.05, weight_decay=1e-4),
        batch_size=16, epochs=2,
    )  # fmt: skip


CASES = (
    Case("flats-absolute-errors-unvalidated", Goal("R2", at_least=0.9), flat_prices),
    Case("loans-one-in-nine-ranked", Goal("AUC", at_least=0.85), ranked_defaults),
    Case("iris-all-at-once", Goal("accuracy", at_least=0.93), iris_at_once),
    Case("exclusive-or-rate-of-one-half", Goal("accuracy", at_least=0.97), exclusive_or),
    Case("bottles-few-tasters-agree", Goal("accuracy", at_least=0.5), tasted),
    Case("loans-logistic-in-two-passes", Goal("accuracy", at_least=0.78), logistic),
)  # fmt: skip
