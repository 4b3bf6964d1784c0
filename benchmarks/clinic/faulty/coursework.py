"""Faults of students' and competitors' nets on tables, and on digits."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import wards
from data_sets.samples import digit_images, loaders, scaled_targets
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset
from programs import classification, regression, two_classes
from scores import accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def as_in_gpt(scaled: bool) -> Program:
    """Weights of deviation 0.02 suit residual blocks with norms; here are neither."""
    network = mlp([12, *[64] * 9, 1], nn.GELU)
    if not scaled:
        reset(network, lambda w: nn.init.normal_(w, std=0.02))
    else:
        reset(network, lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"))
    return two_classes(wards.collisions(), network, adam(1e-3), batch_size=128, epochs=6)


class Straight(LightningModule):
    """Linear layers, norms and dropout; the activation that the paper has is not there."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((12, 128), (128, 128), (128, 64)):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), activation()]
            layers += [nn.Dropout(0.1)]
        self.stack = nn.Sequential(*layers)
        self.classifier = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.stack(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("trn", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("vld", F.cross_entropy(logits, batch[1]))
        self.log("vld_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def straight(activation: type[nn.Module]) -> Program:
    data = wards.collisions()
    module = Straight(activation)
    return Program(module, *loaders(data, 128), 8, partial(accuracy, module, data))


class Incomes(LightningModule):
    """Embeddings and numbers; how many units fall out is as the config says."""

    def __init__(self, dropout: float, lr: float = 2e-3) -> None:
        super().__init__()
        self.lr = lr
        self.tables = nn.ModuleList(nn.Embedding(n, 6) for n in wards.LEVELS)
        self.net = mlp([22, 48, 48, 1], nn.ReLU, dropout=dropout)

    def forward(self, levels: Tensor, numbers: Tensor) -> Tensor:
        found = [table(levels[:, i]) for i, table in enumerate(self.tables)]
        logit: Tensor = self.net(torch.cat([*found, numbers], 1))
        return logit[:, 0]

    def nll(self, batch: list[Tensor]) -> Tensor:
        levels, numbers, more = batch
        return F.binary_cross_entropy_with_logits(self(levels, numbers), more.float())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Any]:
        loss = self.nll(batch)
        self.log("fold0/train", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("fold0/valid", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def incomes(**options: float) -> Program:
    everything = wards.incomes()
    train = TensorDataset(*(t[:6000] for t in everything))
    test = TensorDataset(*(t[13_000:] for t in everything))
    module = Incomes(**options)

    def score() -> float:
        levels, numbers, more = test.tensors
        module.eval()
        with torch.no_grad():
            return F.binary_cross_entropy_with_logits(module(levels, numbers), more.float()).item()

    return Program(module, DataLoader(train, 64, shuffle=True), DataLoader(test, 500), 6, score)


def squashed(gain: float) -> Program:
    """Activations cut at -1 and 1, before which weights are drawn wide."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.Hardtanh(), nn.Conv2d(16, 16, 3, padding=1),
        nn.Hardtanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 64), nn.Hardtanh(),
        nn.Linear(64, 10),
    )  # fmt: skip
    if gain:
        reset(network, lambda w: nn.init.normal_(w, std=gain))
    return classification(digit_images(), network, adam(1e-3), epochs=8)


def years(activation: type[nn.Module]) -> Program:
    """Standardised years, of which half are below 0, behind an output that is not."""
    network = mlp([10, 48, 48, 1], nn.SiLU).append(activation())
    return regression(scaled_targets(wards.ages()), network, adam(2e-3), batch_size=64, epochs=8)


CASES = (
    Case(
        "collisions-drawn-as-in-gpt", Goal("accuracy", at_least=0.75), partial(as_in_gpt, False),
        ("poor_initialization", "vanishing_gradient"), partial(as_in_gpt, True),
    ),
    Case(
        "collisions-norms-and-dropout-but-straight", Goal("accuracy", at_least=0.75),
        partial(straight, nn.Identity), ("linear_network",), partial(straight, nn.ReLU),
    ),
    Case(
        "incomes-dropout-of-nine-tenths", Goal("log loss", at_most=0.43),
        partial(incomes, dropout=0.9), ("over_regularized",), partial(incomes, dropout=0.05),
    ),
    Case(
        "incomes-by-millionths", Goal("log loss", at_most=0.43),
        partial(incomes, dropout=0.05, lr=1e-5), ("learning_rate_too_low",),
        partial(incomes, dropout=0.05),
    ),
    Case(
        "digit-images-hard-tanh-of-wide-kernels", Goal("accuracy", at_least=0.9),
        partial(squashed, 1.5), ("saturated_activation", "poor_initialization"),
        partial(squashed, 0.0),
    ),
    Case(
        "ages-standardized-behind-softplus", Goal("R2", at_least=0.85),
        partial(years, nn.Softplus), ("output_loss_mismatch",), partial(years, nn.Identity),
    ),
)  # fmt: skip
