"""Of hospitals, schools and banks: recurrent networks on people's histories."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.cohorts import DEVIATIONS, MEANS, Stays, lessons, returns, stays
from lightning.pytorch import LightningModule
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset

HELD_OUT = 500


class DeteriorationNet(LightningModule):
    """A GRU over standardized signs, as long as the stay was."""

    def __init__(self, hidden_size: int = 32, lr: float = 1e-3, pos_weight: float = 4.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.rnn = nn.GRU(6, hidden_size, batch_first=True)
        self.norm, self.dropout = nn.LayerNorm(hidden_size), nn.Dropout(0.2)
        self.classifier = nn.Linear(hidden_size, 1)

    def encode(self, signs: Tensor, hours: Tensor) -> Tensor:
        x = (signs - MEANS) / DEVIATIONS
        packed = pack_padded_sequence(x, hours.cpu(), batch_first=True, enforce_sorted=False)
        return self.dropout(self.norm(self.rnn(packed)[1][-1]))

    def forward(self, signs: Tensor, hours: Tensor) -> Tensor:
        logit: Tensor = self.classifier(self.encode(signs, hours)).squeeze(1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signs, hours, died, *_ = batch
        weight = torch.tensor(self.hparams["pos_weight"])
        loss = F.binary_cross_entropy_with_logits(self(signs, hours), died, pos_weight=weight)
        self.log("train/bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(*batch[:2])
        self.log("val/auroc", roc_auc_score(batch[2].numpy(), logits.numpy()))
        weight = torch.tensor(self.hparams["pos_weight"])
        self.log("val/bce", F.binary_cross_entropy_with_logits(logits, batch[2], pos_weight=weight))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=0.01)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val/auroc"},
        }


def batches(known: Stays, batch_size: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*known), batch_size, shuffle=True, drop_last=True)


def deterioration() -> Program:
    cohort = stays()
    train, test = cohort[HELD_OUT:], cohort[:HELD_OUT]
    module = DeteriorationNet()

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(test.signs, test.hours)
        return float(roc_auc_score(test.died.numpy(), found.numpy()))

    unseen = DataLoader(TensorDataset(*test), HELD_OUT)
    return Program(module, batches(train, 64), unseen, 12, score, {"gradient_clip_val": 1.0})


class ThreeOutcomes(DeteriorationNet):
    """Death, days and ward at once, weighed by learned uncertainties; one answer in five unknown.

    The sum may well fall below zero.
    """

    def __init__(self) -> None:
        super().__init__(hidden_size=48)
        self.stay, self.ward = nn.Linear(48, 1), nn.Linear(48, 3)
        self.log_vars = nn.Parameter(torch.zeros(3))

    def losses(self, batch: list[Tensor]) -> Tensor:
        signs, hours, died, days, ward = batch
        code = self.encode(signs, hours)
        known = torch.rand(3, len(days)) < 0.8
        each = torch.stack([
            F.binary_cross_entropy_with_logits(self.classifier(code)[:, 0], died, reduction="none"),
            (self.stay(code)[:, 0] - (days - 3)).square(),
            F.cross_entropy(self.ward(code), ward, reduction="none"),
        ])  # fmt: skip
        return (each * known).sum(1) / known.sum(1).clamp(min=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        each = self.losses(batch)
        self.log_dict(dict(zip(("mort_loss", "los_loss", "ward_loss"), each, strict=True)))
        total = (torch.exp(-self.log_vars) * each + 0.5 * self.log_vars).sum()
        self.log("total", total, prog_bar=True)
        return total

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        each = self.losses(batch)
        self.log("val_los_mse", each[1])
        self.log("val_total", (torch.exp(-self.log_vars) * each + 0.5 * self.log_vars).sum())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def outcomes() -> Program:
    cohort = stays()
    train, test = cohort[HELD_OUT:], cohort[:HELD_OUT]
    module = ThreeOutcomes()

    @torch.no_grad()
    def score() -> float:
        """Explained variance of the days."""
        found = module.eval().stay(module.encode(test.signs, test.hours))[:, 0] + 3
        return (1 - F.mse_loss(found, test.days) / test.days.var()).item()

    unseen = DataLoader(TensorDataset(*test), 250)
    return Program(module, batches(train, 32), unseen, 10, score)


class KnowledgeTracing(LightningModule):
    """Piech et al.: what was asked and answered, one hot; says of every exercise if it would be."""

    def __init__(self, exercises: int = 20) -> None:
        super().__init__()
        self.n = exercises
        self.interaction = nn.Embedding(2 * exercises, 32)
        self.lstm, self.readout = nn.LSTM(32, 48, batch_first=True), nn.Linear(48, exercises)

    def forward(self, asked: Tensor, right: Tensor) -> Tensor:
        states, _ = self.lstm(self.interaction(asked + self.n * right.long()))
        logits: Tensor = self.readout(states)
        return logits[:, :-1].gather(2, asked[:, 1:, None])[..., 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nll = F.binary_cross_entropy_with_logits(self(*batch), batch[1][:, 1:])
        self.log("nll", nll)
        return nll

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits, truth = self(*batch), batch[1][:, 1:]
        self.log("nll_dev", F.binary_cross_entropy_with_logits(logits, truth))
        self.log("hit_dev", ((logits > 0) == (truth > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def tracing() -> Program:
    asked, right = lessons()
    train, test = TensorDataset(asked[100:], right[100:]), TensorDataset(asked[:100], right[:100])
    module = KnowledgeTracing()

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(asked[:100], right[:100]).flatten()
        return float(roc_auc_score(right[:100, 1:].flatten().numpy(), found.numpy()))

    return Program(module, DataLoader(train, 25, shuffle=True), DataLoader(test, 100), 7, score)


class Volatility(LightningModule):
    """How wild will tomorrow be? A Student's likelihood, of which little can be known."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(2, 16, batch_first=True), nn.Linear(16, 1)
        self.log_freedom = nn.Parameter(torch.tensor(2.0))

    def nll(self, series: Tensor) -> Tensor:
        past = series[:, :-1, None]
        states, _ = self.gru(torch.cat([past, past.abs()], 2) / 2)
        scale = F.softplus(self.out(states[:, 20:]))[..., 0] + 1e-3
        student = torch.distributions.StudentT(2 + self.log_freedom.exp(), 0.0, scale)
        return -student.log_prob(series[:, 21:]).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nll = self.nll(batch[0])
        self.log("nll", nll, on_step=True, on_epoch=True)
        return nll

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def volatility() -> Program:
    series = returns()
    module = Volatility()

    @torch.no_grad()
    def score() -> float:
        """Better than the best constant normal by so many nats."""
        return (1.4189 + series[300:].std().log() - module.eval().nll(series[300:])).item()

    train = DataLoader(TensorDataset(series[:300]), 16, shuffle=True)
    return Program(module, train, None, 12, score, {"gradient_clip_val": 0.5})


CASES = (
    Case("stays-deterioration-weighed-gru", Goal("AUROC", at_least=0.85), deterioration),
    Case("stays-three-outcomes-by-doubt", Goal("R2", at_least=0.5), outcomes),
    Case("pupils-knowledge-traced", Goal("AUROC", at_least=0.7), tracing),
    Case("returns-wildness-of-tomorrow", Goal("nats gained", at_least=0.1), volatility),
)
