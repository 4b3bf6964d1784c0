"""What hospitals train on tables: who comes back, bills, ages, measurements that are missing."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import wards
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def auroc(module: LightningModule, data: Samples) -> float:
    return float(roc_auc_score(data.y_test, outputs(module, data.x_test).flatten()))


class Readmission(LightningModule):
    """No validation: the curve is drawn by hand afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp([8, 32, 32, 1], nn.SiLU, dropout=0.1)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.layers(x)
        return logit[:, 0]

    def training_step(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(self(x), y.float())
        self.log("nll", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def readmission() -> Program:
    data = wards.bloods_scaled()
    module = Readmission()
    return Program(module, loaders(data, 64)[0], None, 10, partial(auroc, module, data))


class Screening(LightningModule):
    """The few ill weigh more; looked at every thirty batches."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.body = nn.Sequential(nn.Linear(8, 24), nn.GELU(), nn.Linear(24, 12), nn.GELU())
        self.head = nn.Linear(12, 1)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.head(self.body(self.norm(x)))
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        logit = self(x)
        loss = self.criterion(logit, y.float())
        self.log_dict({"weighted_bce": loss, "flagged": (logit > 0).float().mean()})
        return {"loss": loss, "logit": logit.detach()}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        self.seen.append((logit, y))
        self.log("dev_weighted_bce", self.criterion(logit, y.float()))

    def on_validation_epoch_end(self) -> None:
        logit, y = (torch.cat(part) for part in zip(*self.seen, strict=True))
        self.seen.clear()
        self.log("dev_auroc", float(roc_auc_score(y, logit)), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def screening() -> Program:
    data = wards.bloods_scaled(base=-4.6)
    module = Screening(weight=4.0)
    options = {"val_check_interval": 0.5, "gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 64), 7, partial(auroc, module, data), options)


class Bill(LightningModule):
    """Gamma regression with a logarithmic link; its deviance has no end at 0 when written so."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([7, 48, 48, 1], nn.Softplus)

    def forward(self, x: Tensor) -> Tensor:
        log_mean: Tensor = self.net(x)
        return log_mean.squeeze(-1)

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        log_mean = self(x)
        return (y * torch.exp(-log_mean) + log_mean).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("gamma/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("gamma/valid", self.nll(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


@torch.no_grad()
def explained(module: LightningModule, data: Samples) -> float:
    """Share of the null model's Gamma deviance."""
    mean, y = outputs(module, data.x_test).exp(), data.y_test

    def deviance(of: Tensor) -> Tensor:
        return 2 * (y / of - 1 - (y / of).log()).mean()

    return (1 - deviance(mean) / deviance(data.y.mean())).item()


def bill() -> Program:
    data = wards.bills()
    module = Bill()
    return Program(module, *loaders(data, 128), 14, partial(explained, module, data))


class Age(LightningModule):
    """A distribution over the years, taught by a narrow one around the truth (DLDL)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("years", torch.arange(15.0, 95.0, 2.0))
        self.trunk = mlp([10, 64, 64, 40], partial(nn.LeakyReLU, 0.1))

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x).softmax(-1) @ self.years

    def losses(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        x, y = batch
        log_p = self.trunk(x).log_softmax(-1)
        wanted = (-((self.years - y[:, None]) ** 2) / 18).softmax(-1)
        divergence = F.kl_div(log_p, wanted, reduction="batchmean")
        return divergence, F.l1_loss(log_p.exp() @ self.years, y)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        divergence, years = self.losses(batch)
        self.log("kl", divergence)
        self.log("years_off", years)
        return divergence + 0.05 * years

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        divergence, years = self.losses(batch)
        self.log("val_kl", divergence)
        self.log("val_years_off", years)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1e-3)


def years_off(module: LightningModule, data: Samples) -> float:
    return F.l1_loss(outputs(module, data.x_test), data.y_test).item()


def age() -> Program:
    data = wards.ages()
    module = Age()
    return Program(module, *loaders(data, 50), 8, partial(years_off, module, data))


class Markers(LightningModule):
    """Tells all markers of those that were measured; a marker that was not asks for nothing."""

    def __init__(self, hidden: float = 0.3) -> None:
        super().__init__()
        self.hidden = hidden
        self.net = mlp([20, 64, 32, 64, 10], nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        known = ~x.isnan()
        found: Tensor = self.net(torch.cat([x.nan_to_num(), known.float()], 1))
        return found

    def shared_step(self, batch: list[Tensor], name: str) -> Tensor:
        (x,) = batch
        shown = x.masked_fill(torch.rand_like(x) < self.hidden, torch.nan)
        asked = ~x.isnan() & shown.isnan()
        loss = F.smooth_l1_loss(self(shown)[asked], x[asked])
        self.log(name, loss, batch_size=len(x))
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "imputation")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "imputation_val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def markers() -> Program:
    """A fifth of the values is missing from the start."""
    data = wards.ages()
    generator = torch.Generator().manual_seed(3)
    parts = [
        x.masked_fill(torch.rand(x.shape, generator=generator) < 0.2, torch.nan)
        for x in (data.x, data.x_test)
    ]
    module = Markers()
    both = [DataLoader(TensorDataset(x), 64, shuffle=x is parts[0]) for x in parts]

    def score() -> float:
        gone = parts[1].isnan()
        return 1 - ((outputs(module, parts[1]) - data.x_test)[gone] ** 2).mean().item()

    return Program(module, *both, 18, score)


CASES = (
    Case("bloods-who-comes-back-unvalidated", Goal("AUROC", at_least=0.78), readmission),
    Case("bloods-few-are-ill-and-weigh-four", Goal("AUROC", at_least=0.78), screening),
    Case("bills-gamma-of-logarithms", Goal("deviance explained", at_least=0.35), bill),
    Case("ages-as-distributions-of-years", Goal("years off", at_most=5.0), age),
    Case("markers-hidden-and-told", Goal("variance explained", at_least=0.28), markers),
)
