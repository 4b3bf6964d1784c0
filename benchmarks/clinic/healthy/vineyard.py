"""A vineyard's own programs that are in good order: numbers on bottles, plots, and vats."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import vineyard
from data_sets.samples import (
    Samples,
    diabetes,
    digit_images,
    digits,
    loaders,
    scaled_targets,
    standardized,
    wine,
)
from lightning.pytorch import LightningModule
from modules import adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, balanced_accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from healthy import vineyard_more


def few_bottles() -> Program:
    """Forty-eight wines and half of the units dropped: a restless loss, and enough."""
    data = standardized(wine()).first(48)
    network = mlp([13, 64, 64, 3], nn.ReLU, dropout=0.5)
    return classification(data, network, adam(2e-3), batch_size=8, epochs=40)


def wrong_numbers() -> Program:
    """Three labels in ten are drawn by chance; the loss stays high, as it should."""
    data = digits()
    generator = torch.Generator().manual_seed(3)
    chance = torch.randint(10, data.y.shape, generator=generator)
    wrong = torch.rand(len(data.y), generator=generator) < 0.3
    noisy = data._replace(y=torch.where(wrong, chance, data.y))
    network = mlp([64, 48, 10], nn.ReLU, dropout=0.3)
    optimizer = sgd(0.05, 0.9, weight_decay=1e-3)
    module = classification(noisy, network, optimizer, batch_size=64, epochs=12)
    return module


class MildewModel(LightningModule):
    """One logit; the rare class weighs more, and batches are large."""

    def __init__(self, pos_weight: float) -> None:
        super().__init__()
        self.net = mlp([16, 64, 32, 1], nn.LeakyReLU)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1].float())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_loss", self.criterion(logit, batch[1].float()))
        self.log("val_found", (logit[batch[1] == 1] > 0).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def rare_mildew() -> Program:
    data, module = vineyard.mildew(), MildewModel(10.0)
    both = loaders(data, 256)
    return Program(module, *both, 15, partial(balanced_accuracy, module, data))


class Forecaster(LightningModule):
    """A GRU reads a month of sugar and says the five days after it, as steps from the last."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.out = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x)
        found: Tensor = x[:, -1] + self.out(states[:, -1])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val_mae"},
        }


def sugar() -> Program:
    """Scored against saying that nothing changes."""
    data, module = vineyard.ripening(), Forecaster()

    def score() -> float:
        error = F.l1_loss(outputs(module, data.x_test), data.y_test)
        return (error / F.l1_loss(data.x_test[:, -1].expand_as(data.y_test), data.y_test)).item()

    return Program(module, *loaders(data, 32), 15, score, {"gradient_clip_val": 1.0})


class LedgerReader(nn.Module):
    """Attention from the asked vat to the vats of the ledger, whose grapes are the values."""

    def __init__(self, pairs: int, width: int = 32) -> None:
        super().__init__()
        self.pairs = pairs
        self.vats, self.grapes = nn.Embedding(16, width), nn.Embedding(8, width)
        self.attention = nn.MultiheadAttention(width, 4, dropout=0.1, batch_first=True)
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 8)

    def forward(self, x: Tensor) -> Tensor:
        vats, grapes, asked = x.split([self.pairs, self.pairs, 1], 1)
        key, value = self.vats(vats), self.grapes(grapes)
        found, _ = self.attention(self.vats(asked), key, value, need_weights=False)
        logits: Tensor = self.out(self.norm(found.squeeze(1)))
        return logits


def ledger() -> Program:
    """The loss stands for a while before it falls."""
    data, pairs = vineyard.ledgers()
    return classification(
        data, LedgerReader(pairs), partial(torch.optim.AdamW, lr=2e-3), batch_size=64, epochs=16
    )


class Block(nn.Module):
    """Two convolutions beside the way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


def one_cycle() -> Program:
    """Plain descent up to a rate of 0.4, which norms and clipping make safe."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Block(16),
        nn.MaxPool2d(2), Block(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.4, total_steps=200)
    optimizer = sgd(0.02, 0.9, nesterov=True, weight_decay=5e-4)
    return classification(
        digit_images(), network, optimizer, batch_size=64, epochs=10, scheduler=schedule,
        trainer={"gradient_clip_val": 1.0},
    )  # fmt: skip


def progression() -> Program:
    """Half of the variance cannot be explained by the ten columns, whoever tries."""
    data = scaled_targets(standardized(diabetes()))
    network = mlp([10, 32, 1], nn.Tanh, dropout=0.2)
    optimizer = partial(torch.optim.RMSprop, lr=1e-3, weight_decay=1e-2)
    return regression(data, network, optimizer, batch_size=32, epochs=25, loss=F.huber_loss)


@dataclass
class Plots:
    """A batch of plots."""

    columns: Tensor
    harvest: Tensor


def as_plots(rows: list[tuple[Tensor, Tensor]]) -> Plots:
    columns, harvest = zip(*rows, strict=True)
    return Plots(torch.stack(columns), torch.stack(harvest))


class QuantileModel(LightningModule):
    """The quantiles of 10, 50 and 90 percent of yields with thick tails."""

    levels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([6, 64, 64, 3], nn.ReLU)
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found

    def pinball(self, batch: Plots) -> Tensor:
        error = batch.harvest[:, None] - self(batch.columns)
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()

    def training_step(self, batch: Plots, batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss, batch_size=len(batch.harvest))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def quantiles() -> Program:
    """Scored by the pinball loss, in parts of that of the quantiles of all yields."""
    data, module = vineyard.heavy_harvests(), QuantileModel()
    rows = TensorDataset(data.x, data.y)
    train = DataLoader(rows, 48, shuffle=True, collate_fn=as_plots)

    def score() -> float:
        error = data.y_test[:, None] - outputs(module, data.x_test)
        plain = data.y_test[:, None] - data.y.quantile(module.levels)
        lost, lost_plainly = (
            torch.maximum(module.levels * e, (module.levels - 1) * e).mean() for e in (error, plain)
        )
        return (lost / lost_plainly).item()

    return Program(module, train, None, 12, score)


class Hints(torch.optim.Optimizer):
    """Descent by signs of an average, in steps that shrink by the root of their number."""

    def __init__(self, parameters: Iterator[nn.Parameter], lr: float = 2e-3) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                state["count"] = state.get("count", 0) + 1
                average = state.setdefault("average", torch.zeros_like(weight))
                average.lerp_(weight.grad, 0.1)
                weight.sub_(average.sign(), alpha=group["lr"] / state["count"] ** 0.25)
        return loss


def signs() -> Program:
    network = mlp([64, 96, 96, 10], nn.Mish, norm=nn.LayerNorm)
    return classification(digits(), network, Hints, batch_size=100, epochs=12)


def half(data: Samples, first: bool) -> Samples:
    """The digits up to four, or the others, counted from nought."""
    seen, unseen = (data.y < 5) == first, (data.y_test < 5) == first
    return Samples(data.x[seen], data.y[seen] % 5, data.x_test[unseen], data.y_test[unseen] % 5)


class FrozenBody(LightningModule):
    """A body that learnt the digits up to four, frozen in evaluation mode, and a head."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body.requires_grad_(False)
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        self.body.eval()
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", accuracy_of(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=5e-3)


def accuracy_of(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.argmax(-1) == y).float().mean()


def second_half() -> Program:
    first, second = half(digit_images(), True), half(digit_images(), False)
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
    )  # fmt: skip
    whole = nn.Sequential(body, nn.Linear(64, 5))
    optimizer = torch.optim.Adam(whole.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(whole(first.x), first.y).backward()
        optimizer.step()
    module = FrozenBody(body)
    both = loaders(second, 32)
    return Program(module, *both, 10, partial(accuracy, module, second))


CASES = (
    Case("cellar-wines-forty-eight-and-dropout", Goal("accuracy", at_least=0.88), few_bottles),
    Case("bottle-digits-three-in-ten-by-chance", Goal("accuracy", at_least=0.88), wrong_numbers),
    Case("mildew-one-row-in-twenty-weighed", Goal("mean recall", at_least=0.8), rare_mildew),
    Case("sugar-gru-of-a-month-clipped", Goal("relative error", at_most=0.6), sugar),
    Case("ledgers-attention-to-the-asked-vat", Goal("accuracy", at_least=0.95), ledger),
    Case("bottle-digits-one-cycle-to-four-tenths", Goal("accuracy", at_least=0.95), one_cycle),
    Case("patients-tanh-net-that-explains-half", Goal("r2", at_least=0.35), progression),
    Case("harvests-three-quantiles-of-thick-tails", Goal("relative", at_most=0.85), quantiles),
    Case("bottle-digits-signs-of-averages", Goal("accuracy", at_least=0.93), signs),
    Case("bottle-digits-head-on-a-frozen-body", Goal("accuracy", at_least=0.9), second_half),
    *vineyard_more.CASES,
)  # fmt: skip
