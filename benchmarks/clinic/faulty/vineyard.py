"""A vineyard's own programs: plots, vats, and the numbers on bottles, each with one mistake."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import vineyard
from data_sets.samples import Samples, digit_images, digits, loaders
from lightning.pytorch import LightningModule
from modules import adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def narrow(data: Samples, hidden: int = 3) -> nn.Sequential:
    """The network of last year, trained for a moment."""
    network = mlp([64, hidden, 10], nn.GELU)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(network(data.x), data.y).backward()
        optimizer.step()
    return network


@torch.no_grad()
def widened(small: nn.Sequential, hidden: int, zeros: bool) -> nn.Sequential:
    """The same function with more hidden units, whose weights from below are zero or drawn."""
    wide = mlp([64, hidden, 10], nn.GELU)
    below, above = wide[0], wide[2]
    known = small[0].weight.shape[0]
    if zeros:
        below.weight.zero_()
        below.bias.zero_()
    above.weight.zero_()
    below.weight[:known], below.bias[:known] = small[0].weight, small[0].bias
    above.weight[:, :known], above.bias[:] = small[2].weight, small[2].bias
    return wide


def grown(zeros: bool) -> Program:
    """New units of zeros on both of their sides keep the function, and get no gradient."""
    data = digits()
    network = widened(narrow(data), 96, zeros)
    return classification(data, network, adam(2e-3), batch_size=64, epochs=20)


class RunningNorm(nn.Module):
    """Standardizes by the mean and the squares of all rows seen so far, batch by batch."""

    mean: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self, features: int, divided: bool) -> None:
        super().__init__()
        self.divided = divided
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("squares", torch.zeros(features))
        self.register_buffer("count", torch.zeros(()))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        delta = x.mean(0) - self.mean
        total = self.count + len(x)
        self.squares += (x - x.mean(0)).square().sum(0)
        self.squares += delta.square() * self.count * len(x) / total
        self.mean += delta * len(x) / total
        self.count.copy_(total)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.update(x)
        variance = self.squares / self.count if self.divided else self.squares
        return (x - self.mean) / (variance.sqrt() + 1e-6)


def vats(divided: bool) -> Program:
    network = nn.Sequential(RunningNorm(12, divided), *mlp([12, 64, 64, 1]))
    return regression(
        vineyard.ferments(), network, adam(1e-3), batch_size=64, epochs=18, loss=F.smooth_l1_loss
    )


class BottleNet(LightningModule):
    """Two convolutions and two layers."""

    def __init__(self, lr: float, momentum: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ELU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ELU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(128, 64), nn.ELU(),
        )  # fmt: skip
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("loss", loss, prog_bar=True)
        self.log("acc", (logits.argmax(1) == batch[1]).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            self.parameters(), lr=self.hparams["lr"], momentum=self.hparams["momentum"]
        )


def crates(batch_size: int, lr: float, momentum: float) -> Program:
    """The rate is that for batches of 256."""
    data, module = digit_images().first(1000), BottleNet(lr, momentum)
    both = loaders(data, batch_size)
    return Program(module, *both, 6, partial(accuracy, module, data))


def numbers(at: int) -> Program:
    """A crop of ten pixels that is to hold the number, and takes blank paper from the corner."""
    whole = vineyard.bottle_numbers()
    x, x_test = (part[..., at : at + 10, at : at + 10] for part in (whole.x, whole.x_test))
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
    return classification(
        whole.with_inputs(x.clone(), x_test.clone()), network, sgd(0.05, 0.9), batch_size=32,
        epochs=8,
    )  # fmt: skip


class Repeated(nn.Module):
    """One convolution that is applied again and again, the picture added each time."""

    def __init__(self, channels: int, times: int, deviation: float | None) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.again = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.times = times
        if deviation is not None:
            nn.init.normal_(self.again.weight, std=deviation)
        self.head = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.first(x)
        state = F.relu(seen)
        for _ in range(self.times):
            state = F.relu(seen + self.again(state))
        logits: Tensor = self.head(state.amax((2, 3)))
        return logits


def relaxed(deviation: float | None) -> Program:
    network = Repeated(24, 12, deviation)
    return classification(digit_images(), network, adam(2e-3), batch_size=32, epochs=10)


class YieldModel(LightningModule):
    """Batches are dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([8, 96, 96, 1], nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found.squeeze(-1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch["plot"]), batch["yield"])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch["plot"]), batch["yield"]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)]


def named_columns(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    plots, yields = zip(*rows, strict=True)
    return {"plot": torch.stack(plots), "yield": torch.stack(yields)}


def vintages(transposed: bool) -> Program:
    """The columns are laid out year by year, the yields plot by plot."""
    x, y = vineyard.harvests()

    def rows(first: int, last: int, turned: bool) -> tuple[Tensor, Tensor]:
        target = y[first:last]
        return x[first:last].reshape(-1, 8), (target.T if turned else target).reshape(-1)

    data = Samples(*rows(0, 22, transposed), *rows(22, 30, False))
    module = YieldModel()
    arguments: dict[str, Any] = {"batch_size": 32, "collate_fn": named_columns}
    train = DataLoader(TensorDataset(data.x, data.y), shuffle=True, **arguments)
    test = DataLoader(TensorDataset(*rows(22, 30, transposed)), **arguments)
    return Program(module, train, test, 15, partial(r2, module, data))


CASES = (
    Case(
        "grown-digits-new-units-of-zeros-on-both-sides", Goal("accuracy", at_least=0.93),
        partial(grown, True), ("dormant_units", "poor_initialization", "symmetric_weights"),
        partial(grown, False),
    ),
    Case(
        "vats-squares-never-divided-by-their-count", Goal("r2", at_least=0.7),
        partial(vats, False), ("covariate_shift", "unnormalized_input"), partial(vats, True),
    ),
    Case(
        "crate-numbers-four-to-a-step-at-the-rate-of-many", Goal("accuracy", at_least=0.85),
        partial(crates, 4, 0.022, 0.9), ("unstable_loss", "learning_rate_too_high"),
        partial(crates, 4, 0.005, 0.9),
    ),
    Case(
        "bottle-numbers-cropped-from-blank-paper", Goal("accuracy", at_least=0.9),
        partial(numbers, 0), ("not_learning",), partial(numbers, 10),
    ),
    Case(
        "bottle-digits-one-convolution-again-and-again", Goal("accuracy", at_least=0.85),
        partial(relaxed, 0.2), ("exploding_gradient", "poor_initialization"),
        partial(relaxed, None),
    ),
    Case(
        "vintages-by-year-yields-by-plot", Goal("r2", at_least=0.7),
        partial(vintages, True), ("inconsistent_labels", "not_learning"), partial(vintages, False),
    ),
)  # fmt: skip
