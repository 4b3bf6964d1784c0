"""Steps that are too long, too short or never taken."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, Optimizer, adam, mlp, sgd
from programs import classification, two_classes
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, StepLR


def digits(optimizer: Optimizer, epochs: int = 8, **arguments: Any) -> Program:
    network = mlp([64, 128, 64, 10])
    return classification(samples.digits(), network, optimizer, epochs=epochs, **arguments)


def decayed(gamma: float) -> Program:
    """A schedule that was meant for epochs, stepped after every batch."""
    return digits(sgd(0.3), scheduler=partial(StepLR, step_size=1, gamma=gamma))


def triangles(peak: float) -> Program:
    """A cyclic learning rate."""

    def factor(step: int) -> float:
        return abs((step % 40) / 20 - 1)

    return digits(sgd(peak, 0.9), scheduler=partial(LambdaLR, lr_lambda=factor))


def blob_one_by_one(lr: float = 0.05, momentum: float = 0.9, batch_size: int = 1) -> Program:
    """Published with AUTOTRAINER, where it oscillates: momentum, and batches of one sample."""
    return classification(
        samples.blob(), mlp([2, 50, 3]), sgd(lr, momentum), batch_size=batch_size,
        epochs=3 if batch_size == 1 else 40, score=mean_loss,
    )  # fmt: skip


def mean_loss(module: LightningModule, data: samples.Samples) -> float:
    return F.cross_entropy(outputs(module, data.x_test), data.y_test).item()


class Bottleneck(LightningModule):
    """A narrow encoder and a head, of which the optimiser may have been given one."""

    def __init__(self, everything: bool = True, detach: bool = False) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.head = nn.Linear(8, 10)
        self.everything, self.detach = everything, detach

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        logits: Tensor = self.head(code.detach() if self.detach else code)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("loss/train", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = self if self.everything else self.head
        return torch.optim.Adam(trained.parameters(), lr=0.01)


def bottleneck(**model: bool) -> Program:
    data = samples.digits()
    module = Bottleneck(**model)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(accuracy, module, data))


class Rewrapped(LitClassifier):
    """Makes a new tensor of the loss, and asks that for gradients."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        return loss.detach().clone().requires_grad_()


def rewrapped(module: type[LitClassifier] = Rewrapped) -> Program:
    data = samples.digits()
    model = module(mlp([64, 128, 10]))
    return Program(model, *loaders(data, 32), 8, partial(accuracy, model, data))


class HandWritten(LightningModule):
    """Manual optimisation, of an encoder and a decoder with an optimiser each."""

    def __init__(self, clear: bool = True, both: bool = True) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 12), nn.Tanh())
        self.decoder = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64))
        self.clear, self.both = clear, both

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = self.decoder(self.encoder(x))
        return image

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        loss = F.mse_loss(self(batch[0]), batch[0])
        if self.clear:
            for optimizer in optimizers:
                optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers if self.both else optimizers[1:]:
            optimizer.step()
        self.log("reconstruction", loss)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(p.parameters(), 1.0, 0.9) for p in (self.encoder, self.decoder)]


def reconstruction(module: LightningModule, data: samples.Samples) -> float:
    error = F.mse_loss(outputs(module, data.x_test), data.x_test)
    return (1 - error / (data.x_test - data.x.mean(0)).square().mean()).item()


def autoencoder(**model: bool) -> Program:
    data = samples.digits()
    module = HandWritten(**model)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(reconstruction, module, data))


class TwoTowers(LightningModule):
    """A regression by two towers, one of which sees its inputs without gradients."""

    def __init__(self, frozen: bool = True) -> None:
        super().__init__()
        self.left, self.right = (
            nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 4)) for _ in range(2)
        )
        self.mix, self.frozen = nn.Linear(8, 1), frozen

    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            left, right = self.left(x[:, :5]), self.right(x[:, 5:])
        found: Tensor = self.mix(torch.cat([left, right], 1))
        return found[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.smooth_l1_loss(self(batch[0]), batch[1])}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def towers(frozen: bool = True) -> Program:
    data = scaled_targets(standardized(samples.friedman(0.1)))
    module = TwoTowers(frozen)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(r2, module, data))


def moons(optimizer: Optimizer, activation: Any = nn.Tanh) -> Program:
    return two_classes(samples.moons(), mlp([2, 32, 32, 1], activation), optimizer)


DIGITS = Goal("accuracy", at_least=0.9)
BOTTLENECK = Goal("accuracy", at_least=0.85)
LARGE = ("learning_rate_too_high", "dead_relu", "unstable_loss", "exploding_gradient")
CASES = (
    Case(
        "digits-adam-large-steps", DIGITS, partial(digits, adam(0.3)), LARGE,
        partial(digits, adam(1e-3)),
    ),
    Case(
        "digits-adam-small-steps", DIGITS, partial(digits, adam(3e-6)),
        ("learning_rate_too_low",), partial(digits, adam(1e-3)),
    ),
    Case(
        "digits-momentum-large-steps", DIGITS, partial(digits, sgd(0.5, 0.99)), LARGE,
        partial(digits, sgd(0.02, 0.9)),
    ),
    Case(
        "digits-adagrad-small-steps", DIGITS,
        partial(digits, partial(torch.optim.Adagrad, lr=1e-5)), ("learning_rate_too_low",),
        partial(digits, partial(torch.optim.Adagrad, lr=0.03)),
    ),
    Case(
        "moons-tanh-large-steps", Goal("accuracy", at_least=0.95),
        partial(moons, sgd(30.0)),
        ("learning_rate_too_high", "saturated_activation", "unstable_loss"),
        partial(moons, sgd(0.5)),
    ),
    Case(
        "digits-decay-by-batch", DIGITS, partial(decayed, 0.8), ("learning_rate_too_low",),
        partial(decayed, 0.995),
    ),
    Case(
        "digits-high-triangles", DIGITS, partial(triangles, 3.0),
        ("learning_rate_too_high", "unstable_loss", "dead_relu", "exploding_gradient"),
        partial(triangles, 0.1),
    ),
    Case(
        "blob-one-by-one", Goal("cross-entropy", at_most=0.6), blob_one_by_one,
        ("unstable_loss", "learning_rate_too_high"),
        partial(blob_one_by_one, 0.01, 0.9, 32),
    ),
    Case(
        "digits-head-alone-optimized", BOTTLENECK, partial(bottleneck, everything=False),
        ("frozen_parameter",), bottleneck, fast=True,
    ),
    Case(
        "digits-detached-code", BOTTLENECK, partial(bottleneck, detach=True), ("frozen_parameter",),
        bottleneck,
    ),
    Case(
        "digits-rewrapped-loss", DIGITS, rewrapped, ("frozen_parameter", "not_learning"),
        partial(rewrapped, LitClassifier),
    ),
    Case(
        "autoencoder-encoder-never-stepped", Goal("R2", at_least=0.6),
        partial(autoencoder, both=False), ("frozen_parameter",), autoencoder,
    ),
    Case(
        "autoencoder-gradients-never-cleared", Goal("R2", at_least=0.6),
        partial(autoencoder, clear=False),
        ("exploding_gradient", "unstable_loss", "learning_rate_too_high", "not_learning"),
        autoencoder,
    ),
    Case(
        "towers-without-gradients", Goal("R2", at_least=0.75), towers, ("frozen_parameter",),
        partial(towers, False),
    ),
)  # fmt: skip
