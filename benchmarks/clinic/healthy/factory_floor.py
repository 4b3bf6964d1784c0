"""What runs on a factory's floor: tables of castings."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import factory
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torchmetrics import MeanSquaredError
from torchmetrics.classification import BinaryAUROC


class Members(LightningModule):
    """Eight regressors that share their layers but for their scales, in place of boosted trees."""

    def __init__(self, features: int, members: int = 8) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.randn(members, 1, features).sign())
        self.trunk = nn.Sequential(
            nn.Linear(features, 96), nn.ReLU(), nn.Dropout(0.1), nn.Linear(96, 96), nn.ReLU(),
            nn.Dropout(0.1),
        )  # fmt: skip
        self.heads = nn.Parameter(torch.randn(members, 96, 1) / 96**0.5)
        self.bias = nn.Parameter(torch.zeros(members, 1, 1))
        self.rmse = MeanSquaredError(squared=False)

    def each(self, x: Tensor) -> Tensor:
        found: Tensor = self.trunk(x * self.scales) @ self.heads + self.bias
        return found.squeeze(-1)

    def forward(self, x: Tensor) -> Tensor:
        return self.each(x).mean(0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = (self.each(batch[0]) - batch[1]).square().mean()
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.rmse(self(batch[0]), batch[1])
        self.log("val_rmse", self.rmse)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=3e-4)


def members() -> Program:
    data = standardized(factory.castings())
    module = Members(8)
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


def ranks(module: LightningModule, data: Samples) -> float:
    found = outputs(module, data.x_test)
    return float(roc_auc_score(data.y_test.numpy(), found.numpy()))


class Weak(LightningModule):
    """One in eight castings is weak; its chance is wanted, so that nothing is weighed."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64), nn.BatchNorm1d(64), nn.SiLU(), nn.Dropout(0.2),
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.SiLU(), nn.Linear(32, 1),
        )  # fmt: skip
        self.auroc = BinaryAUROC()

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("bce/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.auroc.update(logit, batch[1])
        self.log("auroc/valid", self.auroc)
        self.log("bce/valid", F.binary_cross_entropy_with_logits(logit, batch[1].float()))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
        return [optimizer], [cosine]


def weak() -> Program:
    data = standardized(factory.castings())
    edge = data.y.quantile(0.125)
    data = data._replace(y=(data.y < edge).long(), y_test=(data.y_test < edge).long())
    module = Weak()
    return Program(module, *loaders(data, 64, drop_last=True), 12, partial(ranks, module, data))


CASES = (
    Case("castings-members-in-place-of-trees", Goal("R2", at_least=0.7), members),
    Case("castings-one-in-eight-is-weak", Goal("area under ROC", at_least=0.85), weak),
)
