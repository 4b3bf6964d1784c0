"""Wards and schools whose histories are read wrongly, too few, or under a heavy penalty."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.cohorts import DEVIATIONS, MEANS, Stays, lessons, stays
from healthy.wards import HELD_OUT, DeteriorationNet, KnowledgeTracing
from lightning.pytorch import LightningModule
from modules import mlp
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset


class Bedside(DeteriorationNet):
    """Signs as the monitors wrote them, or standardized; unlike its parent, without a norm."""

    def __init__(self, scaled: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.scaled, self.norm = scaled, nn.Identity()

    def encode(self, signs: Tensor, hours: Tensor) -> Tensor:
        x = (signs - MEANS) / DEVIATIONS if self.scaled else signs
        packed = pack_padded_sequence(x, hours.cpu(), batch_first=True, enforce_sorted=False)
        last: Tensor = self.rnn(packed)[1][-1]
        return self.dropout(last)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def bedside(scaled: bool) -> Program:
    train, test = stays()[HELD_OUT:], stays()[:HELD_OUT]
    module = Bedside(scaled, lr=2e-3)

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(test.signs, test.hours)
        return float(roc_auc_score(test.died.numpy(), found.numpy()))

    return Program(module, *both(train, test, 32), 8, score)


def both(train: Stays, test: Stays, batch_size: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    rows = TensorDataset(*train), TensorDataset(*test)
    return DataLoader(rows[0], batch_size, shuffle=True), DataLoader(rows[1], len(test.days))


def few(count: int, hidden: int, epochs: int) -> Program:
    """A pilot of so many patients, of whom half died."""
    cohort = stays(rarity=0.0)
    train, test = cohort[HELD_OUT : HELD_OUT + count], cohort[:HELD_OUT]
    module = Bedside(True, hidden_size=hidden, lr=3e-3, pos_weight=1.0)

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(test.signs, test.hours)
        return F.binary_cross_entropy_with_logits(found, test.died).item()

    return Program(module, *both(train, test, 16), epochs, score)


class FirstHours(Bedside):
    """Sepsis, foreseen from the first hours."""

    def encode(self, signs: Tensor, hours: Tensor) -> Tensor:
        return super().encode(signs[:, :8], hours.clamp(max=8))


def sepsis(weight: float) -> Program:
    cohort = stays(2400, rarity=3.2)
    train, test = cohort[900:], cohort[:900]
    module = FirstHours(True, pos_weight=weight, lr=1e-3)

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(test.signs, test.hours) > 0
        return float(balanced_accuracy_score(test.died.numpy(), found.numpy()))

    return Program(module, *both(train, test, 64), 10, score)


class ExtremesMLP(LightningModule):
    """Both too low and too high is bad: who needs care, by the means of the signs?"""

    def __init__(self, activation: Any) -> None:
        super().__init__()
        self.model = mlp([6, 64, 64, 32, 1], activation)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)[:, 0]
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train_bce", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid_bce", F.binary_cross_entropy_with_logits(logits, batch[1]))
        self.log("valid_acc", ((logits > 0) == (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def extremes(activation: Any) -> Program:
    cohort = stays(rarity=0.0)
    x = ((cohort.signs - MEANS) / DEVIATIONS).mean(1)
    x = (x - x.mean(0)) / x.std(0)
    state = x @ torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    y = ((state - state.mean()).abs() > 0.67 * state.std()).float()
    module = ExtremesMLP(activation)

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(x[:HELD_OUT])
        return float(roc_auc_score(y[:HELD_OUT].numpy(), found.numpy()))

    train = DataLoader(TensorDataset(x[HELD_OUT:], y[HELD_OUT:]), 32, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(x[:500], y[:500]), 500), 10, score)


class PenalizedTracing(KnowledgeTracing):
    """The squares of all weights are added, times lambda."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        penalty = sum(weight.square().sum() for weight in self.parameters())
        return super().training_step(batch, batch_idx) + self.strength * penalty


def tracing(strength: float) -> Program:
    asked, right = lessons()
    train, test = TensorDataset(asked[100:], right[100:]), TensorDataset(asked[:100], right[:100])
    module = PenalizedTracing(strength)

    @torch.no_grad()
    def score() -> float:
        return F.binary_cross_entropy_with_logits(
            module.eval()(asked[:100], right[:100]), right[:100, 1:]
        ).item()

    return Program(module, DataLoader(train, 25, shuffle=True), DataLoader(test, 100), 7, score)


CASES = (
    Case(
        "stays-signs-as-the-monitors-wrote-them", Goal("AUROC", at_least=0.85),
        lambda: bedside(False), ("unnormalized_input", "saturated_activation"),
        lambda: bedside(True),
    ),
    Case(
        "stays-pilot-of-sixty-by-heart", Goal("cross-entropy", at_most=0.55),
        lambda: few(60, 96, 50), ("overfitting",), lambda: few(1100, 24, 4),
    ),
    Case(
        "stays-sepsis-is-rare", Goal("balanced accuracy", at_least=0.65),
        lambda: sepsis(1.0), ("class_imbalance",), lambda: sepsis(25.0),
    ),
    Case(
        "stays-both-extremes-linear", Goal("AUROC", at_least=0.9),
        lambda: extremes(None), ("linear_network",), lambda: extremes(nn.ReLU),
    ),
    Case(
        "pupils-traced-under-a-penalty", Goal("cross-entropy", at_most=0.56),
        lambda: tracing(0.02), ("over_regularized",), lambda: tracing(1e-5),
    ),
)  # fmt: skip
