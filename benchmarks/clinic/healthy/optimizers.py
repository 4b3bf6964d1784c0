"""The same small task by every optimiser and schedule that a careful person would choose."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, Optimizer, adam, mlp, sgd
from programs import classification
from scores import accuracy
from torch import Tensor, nn
from torch.optim import lr_scheduler


def digits(optimizer: Optimizer, epochs: int = 8, **arguments: Any) -> Program:
    return classification(
        samples.digits(), mlp([64, 128, 10]), optimizer, epochs=epochs, **arguments
    )


def named(name: str, lr: float, **options: Any) -> Optimizer:
    return partial(getattr(torch.optim, name), lr=lr, **options)


def warm_up(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 100))


def one_cycle(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, total_steps=330)


def cosine(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.CosineAnnealingLR(optimizer, T_max=320)


def restarts(optimizer: torch.optim.Optimizer) -> Any:
    return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=80)


class Plateau(LitClassifier):
    """Lowers its learning rate when the validation loss stands still."""

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"},
        }


class MixedRates(LitClassifier):
    """The first layer a tenth as fast as the last."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        first, last = self.network[0], self.network[-1]
        groups = [{"params": first.parameters(), "lr": 0.02}, {"params": last.parameters()}]
        return torch.optim.SGD(groups, lr=0.2, momentum=0.5)


class Averaged(LitClassifier):
    """Predicts with a moving average of its weights."""

    def __init__(self, network: nn.Module, optimizer: Optimizer) -> None:
        super().__init__(network, optimizer)
        decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
        self.ema = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=decay)
        self.ema.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x) if self.training else self.ema(x)
        return logits

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.ema.update_parameters(self.network)


def styled(module: type[LitClassifier], optimizer: Optimizer, **trainer: Any) -> Program:
    data = samples.digits()
    model = module(mlp([64, 128, 10]), optimizer)
    return Program(model, *loaders(data, 32), 8, partial(accuracy, model, data), trainer)


class SecondOrder(LightningModule):
    """L-BFGS over the whole data, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = mlp([64, 32, 10], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        x, y = batch

        def closure() -> Tensor:
            optimizer.zero_grad()
            penalty = sum(p.square().sum() for p in self.parameters())
            loss = F.cross_entropy(self(x), y) + 1e-3 * penalty
            self.manual_backward(loss)
            return loss

        self.log("objective", optimizer.step(closure))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            self.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe"
        )


def second_order() -> Program:
    data = samples.digits()
    module = SecondOrder()
    train, _ = loaders(data, 2000)
    return Program(module, train, None, 40, partial(accuracy, module, data))


class NoHooks(LightningModule):
    """No logging, no validation, nothing but the two methods that there must be."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(64, 80) / 8)
        self.b1 = nn.Parameter(torch.zeros(80))
        self.w2 = nn.Parameter(torch.randn(80, 10) / 9)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.w1 + self.b1) @ self.w2

    def training_step(self, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def bare_parameters() -> Program:
    data = samples.digits()
    module = NoHooks()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 7, partial(accuracy, module, data))


DIGITS = Goal("accuracy", at_least=0.91)
CASES = (
    Case("digits-sgd", DIGITS, partial(digits, sgd(0.2))),
    Case("digits-momentum", DIGITS, partial(digits, sgd(0.05, 0.9)), fast=True),
    Case("digits-nesterov", DIGITS, partial(digits, sgd(0.05, 0.9, nesterov=True))),
    Case("digits-adagrad", DIGITS, partial(digits, named("Adagrad", 0.02))),
    Case("digits-rmsprop", DIGITS, partial(digits, named("RMSprop", 1e-3))),
    Case("digits-adamw", DIGITS, partial(digits, named("AdamW", 1e-3, weight_decay=0.05))),
    Case("digits-nadam", DIGITS, partial(digits, named("NAdam", 1e-3))),
    Case("digits-radam", DIGITS, partial(digits, named("RAdam", 3e-3))),
    Case("digits-adamax", DIGITS, partial(digits, named("Adamax", 3e-3))),
    Case("digits-weight-decay", DIGITS, partial(digits, sgd(0.05, 0.9, weight_decay=1e-3))),
    Case("digits-warm-up", DIGITS, partial(digits, adam(2e-3), scheduler=warm_up)),
    Case("digits-one-cycle", DIGITS, partial(digits, sgd(0.1), scheduler=one_cycle)),
    Case("digits-cosine", DIGITS, partial(digits, adam(3e-3), scheduler=cosine)),
    Case("digits-warm-restarts", DIGITS, partial(digits, sgd(0.05, 0.9), scheduler=restarts)),
    Case("digits-plateau", DIGITS, partial(styled, Plateau, adam(3e-3))),
    Case(
        "digits-clipped", DIGITS, partial(styled, LitClassifier, sgd(0.2), gradient_clip_val=1.0)
    ),
    Case(
        "digits-accumulated", DIGITS,
        partial(styled, LitClassifier, adam(3e-3), accumulate_grad_batches=2),
    ),
    Case("digits-mixed-rates", DIGITS, partial(styled, MixedRates, sgd(0.1))),
    Case("digits-averaged-weights", DIGITS, partial(styled, Averaged, adam(2e-3)), fast=True),
    Case("digits-second-order", DIGITS, second_order),
    Case("digits-bare-parameters", DIGITS, bare_parameters),
    Case(
        "digits-label-smoothing", DIGITS,
        partial(digits, adam(2e-3), criterion=partial(F.cross_entropy, label_smoothing=0.1)),
    ),
    Case(
        "digits-short-run", Goal("accuracy", at_least=0.8), partial(digits, adam(5e-3), epochs=2)
    ),
)  # fmt: skip
