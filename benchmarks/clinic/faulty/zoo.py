"""What goes wrong where a zoo trains models of its animals."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import zoo
from data_sets.samples import digit_images, loaders, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp, reset, sgd
from programs import classification, regression
from scores import accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.distributions import Beta


def tanh_net(width: int = 24) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(width, width, 3, padding=1), nn.Tanh(),
        nn.Flatten(), nn.Linear(16 * width, 64), nn.Tanh(), nn.Linear(64, 10),
    )  # fmt: skip


def wide_draw(wide: bool) -> Program:
    """All weights drawn from a normal distribution of deviation one, whatever the fan-in."""
    network = tanh_net()
    if wide:
        reset(network, nn.init.normal_)
    return classification(digit_images(), network, sgd(0.02, 0.9), batch_size=32, epochs=8)


class CallListener(LightningModule):
    """Two layers of GRU over a call, the largest of each unit's states read."""

    def __init__(self, value: float | None, hidden: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(2, hidden, 2, batch_first=True)
        self.head = nn.Linear(hidden, 4)
        if value is not None:
            for parameter in self.parameters():
                nn.init.constant_(parameter, value)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gru(x)[0].amax(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def listener(value: float | None) -> Program:
    """Every parameter is filled with one value, so that the results can be repeated."""
    data, module = zoo.calls(), CallListener(value)
    return Program(module, *loaders(data, 32), 25, partial(accuracy, module, data))


def blood(prepared: bool) -> Program:
    data = standardized(zoo.bloods()) if prepared else zoo.bloods()
    return classification(data, mlp([8, 64, 32, 4]), adam(1e-3), batch_size=64, epochs=15)


class Watch(LightningModule):
    """A GRU that says whether an animal is ill, by one output."""

    def __init__(self, binary: bool) -> None:
        super().__init__()
        self.binary = binary
        self.gru, self.out = nn.GRU(2, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.gru(x)[0].mean(1))
        return out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, ill = batch
        out, target = self(x), ill[:, None].float()
        if self.binary:
            loss = F.binary_cross_entropy_with_logits(out, target)
        else:
            loss = F.cross_entropy(out, target)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=3e-3)


def watch(binary: bool) -> Program:
    """Cross-entropy among classes is zero where there is one output."""
    data, module = zoo.ill_or_well(), Watch(binary)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(binary_accuracy, module, data))


def appetite(activation: type[nn.Module] | None) -> Program:
    """Linear layers, norms and dropout in a row; the cure puts an activation between."""
    network = mlp([6, 96, 96, 48, 1], activation, norm=nn.BatchNorm1d, dropout=0.05)
    return regression(zoo.appetites(), network, adam(3e-3), batch_size=128, epochs=30)


class Leftovers(LightningModule):
    """Shares of eaten feed by the likelihood of a beta distribution."""

    def __init__(self, squeezed: bool) -> None:
        super().__init__()
        self.squeezed = squeezed
        self.net = mlp([6, 48, 48, 2], nn.SiLU)

    def concentrations(self, x: Tensor) -> Tensor:
        found: Tensor = F.softplus(self.net(x)) + 0.05
        return found

    def forward(self, x: Tensor) -> Tensor:
        both = self.concentrations(x)
        return both[:, 0] / both.sum(1)

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, share = batch
        if self.squeezed:
            share = 0.98 * share + 0.01
        a, b = self.concentrations(x).unbind(1)
        loss: Tensor = -Beta(a, b, validate_args=False).log_prob(share).mean()
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Any]:
        loss = self.nll(batch)
        self.log("nll", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", (self(batch[0]) - batch[1]).abs().mean())
        self.log("val_nll", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def leftovers(squeezed: bool) -> Program:
    """Shares of just nothing and all have no density."""
    data, module = zoo.shares(), Leftovers(squeezed)

    def score() -> float:
        finite = bool(outputs(module, data.x_test).isfinite().all())
        return r2(module, data) if finite else float("nan")

    return Program(module, *loaders(data, 64), 20, score)


CASES = (
    Case(
        "digit-images-tanh-net-weights-of-deviation-one", Goal("accuracy", at_least=0.93),
        partial(wide_draw, True), ("saturated_activation", "poor_initialization"),
        partial(wide_draw, False),
    ),
    Case(
        "calls-two-gru-layers-one-value", Goal("accuracy", at_least=0.85),
        partial(listener, 0.05), ("symmetric_weights", "poor_initialization"),
        partial(listener, None),
    ),
    Case(
        "animals-blood-per-microlitre", Goal("accuracy", at_least=0.8), partial(blood, False),
        ("unnormalized_input",), partial(blood, True),
    ),
    Case(
        "animals-ill-one-output-among-classes", Goal("accuracy", at_least=0.85),
        partial(watch, False), ("output_loss_mismatch",), partial(watch, True),
    ),
    Case(
        "appetites-norms-and-dropout-in-a-row", Goal("R2", at_least=0.75),
        partial(appetite, None), ("linear_network",), partial(appetite, nn.ReLU),
    ),
    Case(
        "leftovers-beta-of-nothing-and-all", Goal("R2", at_least=0.6), partial(leftovers, False),
        ("non_finite",), partial(leftovers, True),
    ),
)  # fmt: skip
