"""Programs carried over from elsewhere: optimisers, averages, loops without layers."""

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from programs import classification
from scores import accuracy, r2
from torch import Tensor, nn


class Lion(torch.optim.Optimizer):
    """Steps along the sign of a running mean of gradients."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.99), "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            first, second = group["betas"]
            for p in (p for p in group["params"] if p.grad is not None):
                mean = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * torch.sign(first * mean + (1 - first) * p.grad))
                mean.lerp_(p.grad, 1 - second)
        return loss


def lion(lr: float) -> Program:
    """Pictures, and a rate that somebody used with SGD."""
    pictures = surveys.pictures()
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.GELU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
        nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(288, 4),
    )  # fmt: skip
    data = pictures.labelled(pictures.shape)
    return classification(data, network, partial(Lion, lr=lr, weight_decay=0.1), epochs=14)


class Averaged(LightningModule):
    """Evaluates a running average of itself; the average may be of the parameters alone."""

    def __init__(self, buffers: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(24, 4),
        )  # fmt: skip
        self.ema = copy.deepcopy(self.net).requires_grad_(False)
        self.buffers_too = buffers

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x) if self.training else self.ema(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        for slow, fast in zip(self.ema.parameters(), self.net.parameters(), strict=True):
            slow.lerp_(fast.detach(), 0.05)
        if self.buffers_too:
            for slow, fast in zip(self.ema.buffers(), self.net.buffers(), strict=True):
                slow.copy_(fast)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.net.parameters(), lr=3e-3)


def averaged(buffers: bool = False) -> Program:
    pictures = surveys.pictures()
    data = pictures.labelled(pictures.shape)
    module = Averaged(buffers)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class TwoStages(LightningModule):
    """The head first, then all of it; the body's weights came from a task that needed little."""

    def __init__(self, body: nn.Module, late: bool) -> None:
        super().__init__()
        self.body, self.head, self.late = body, nn.Linear(8, 10), late
        self.body.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def on_train_epoch_start(self) -> None:
        if self.current_epoch == 2:
            self.body.requires_grad_(True)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        given = (
            self.parameters() if self.late else (p for p in self.parameters() if p.requires_grad)
        )
        return torch.optim.Adam(given, lr=4e-3)


def two_stages(late: bool = False) -> Program:
    """First learned is whether a digit is a 0; ``late`` gives all weights to the optimiser."""
    data = samples.digits()
    body = nn.Sequential(nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 8), nn.SiLU())
    network = nn.Sequential(body, nn.Linear(8, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for x, y in loaders(data, 32)[0]:
        optimizer.zero_grad()
        F.cross_entropy(network(x), (y == 0).long()).backward()
        optimizer.step()
    module = TwoStages(body, late)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 20, partial(accuracy, module, data))


class Bare(LightningModule):
    """Residual layers as functions of a dictionary of parameters, with a penalty of their own."""

    def __init__(self, draw: Callable[..., Tensor], penalty: float, depth: int = 12) -> None:
        super().__init__()
        width = 48
        self.params = nn.ParameterDict({"in": draw(18, width), "out": draw(width, 3)})
        for k in range(depth):
            self.params[f"w{k}"] = draw(width, width)
            self.params[f"b{k}"] = torch.zeros(width)
        self.penalty, self.depth = penalty, depth

    def forward(self, board: Tensor) -> Tensor:
        h = board.flatten(1) @ self.params["in"]
        for k in range(self.depth):
            h = h + F.relu(h @ self.params[f"w{k}"] + self.params[f"b{k}"])
        return h @ self.params["out"]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        penalty = sum(p.square().sum() for p in self.params.values())
        self.log_dict({"ce": loss, "l2": float(penalty)})
        return loss + self.penalty * penalty

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def scaled(before: int, after: int) -> Tensor:
    return torch.randn(before, after) * 0.3 / before**0.5


def tenths(before: int, after: int) -> Tensor:
    """Small enough for a layer or two."""
    return 0.3 * torch.randn(before, after)


def bare(draw: Callable[..., Tensor] = scaled, penalty: float = 1e-5) -> Program:
    data = surveys.boards()
    module = Bare(draw, penalty)
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class Accumulated(LightningModule):
    """Manual optimisation that makes a step of the gradients of sixteen batches."""

    def __init__(self, divide: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model, self.divide = mlp([8, 64, 64, 1], nn.Tanh), divide

    def forward(self, x: Tensor) -> Tensor:
        price: Tensor = self.model(x)
        return price[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        opt: Any = self.optimizers()
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        self.manual_backward(loss / 16 if self.divide else loss)
        if batch_idx % 16 == 15:
            opt.step()
            opt.zero_grad()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def accumulated(divide: bool = False) -> Program:
    data: Samples = scaled_targets(standardized(surveys.houses()))
    module = Accumulated(divide)
    return Program(module, *loaders(data, 8), 20, partial(r2, module, data))


SHAPES, BOARDS = Goal("accuracy", at_least=0.8), Goal("accuracy", at_least=0.85)
CASES = (
    Case(
        "shapes-lion-at-the-rate-of-sgd", SHAPES, partial(lion, 0.03),
        ("learning_rate_too_high", "unstable_loss"), partial(lion, 2e-3),
    ),
    Case(
        "shapes-average-without-statistics", SHAPES, averaged, ("train_eval_mismatch",),
        partial(averaged, True),
    ),
    Case(
        "digits-unfrozen-after-the-optimizer", Goal("accuracy", at_least=0.85), two_stages,
        ("frozen_parameter",), partial(two_stages, True),
    ),
    Case(
        "boards-penalty-too-large", BOARDS, partial(bare, penalty=0.03),
        ("over_regularized",), bare,
    ),
    Case(
        "boards-residuals-that-grow", BOARDS, partial(bare, tenths),
        ("poor_initialization", "exploding_gradient"), bare,
    ),
    Case(
        "houses-sixteen-batches-not-divided", Goal("R2", at_least=0.8), accumulated,
        ("learning_rate_too_high", "unstable_loss", "exploding_gradient", "non_finite"),
        partial(accumulated, True),
    ),
)  # fmt: skip
