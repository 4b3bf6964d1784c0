"""Loops and schedules of one's own: rates, clipping, loaders and optimisers that are mixed up."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import CombinedLoader
from modules import LitClassifier, adam, mlp, sgd
from programs import classification
from scores import accuracy, r2
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import DataLoader, TensorDataset


class TopicTransformer(LightningModule):
    """A transformer with the schedule of its paper, which is a factor of a rate of 1."""

    def __init__(self, lr: float, warmup: int, width: int = 32) -> None:
        super().__init__()
        self.lr, self.warmup, self.width = lr, warmup, width
        self.embed = nn.Embedding(100, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(width, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.encoder(self.embed(tokens)).mean(dim=1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return {"loss": loss, "preds": logits.argmax(1)}

    def noam(self, step: int) -> float:
        step += 1
        return self.width**-0.5 * min(step**-0.5, step * self.warmup**-1.5)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr, betas=(0.9, 0.98), eps=1e-9)
        scheduler = LambdaLR(optimizer, self.noam)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def noam(lr: float = 1e-3, warmup: int = 4000) -> Program:
    data = samples.texts()
    module = TopicTransformer(lr, warmup)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(accuracy, module, data))


def rising(optimizer: torch.optim.Optimizer, most: float = torch.inf) -> LRScheduler:
    return LambdaLR(optimizer, lambda step: min(most, (step + 1) / 20))


def warm_up(schedule: Callable[[torch.optim.Optimizer], LRScheduler] = rising) -> Program:
    """A linear warm-up that nobody stops."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    return classification(
        samples.digit_images(), network, sgd(0.05, 0.9), epochs=12, scheduler=schedule
    )


def clipped(norm: float = 1e-4) -> Program:
    """A bound for the gradient's norm, from a program that used Adam and did not mind."""
    data = surveys.scaled_loads()
    data = data.with_inputs(data.x[..., 0], data.x_test[..., 0])
    module = Hourly(mlp([24, 64, 64, 1]))
    trainer = {"gradient_clip_val": norm}
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data), trainer)


class Hourly(LightningModule):
    """A forecast with Nesterov's momentum and a loss that is the root of the mean square."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, hours: Tensor) -> Tensor:
        found: Tensor = self.model(hours)
        return found.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1]).sqrt()
        self.log("rmse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, nesterov=True)


class TwoSources(LightningModule):
    """Images and labels from a loader each, which Lightning combines."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 96), nn.SiLU(), nn.Linear(96, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: dict[str, list[Tensor]], batch_idx: int) -> Tensor:
        (x,), (y,) = batch["image"], batch["label"]
        loss = F.cross_entropy(self(x), y)
        self.log("train/ce", loss, batch_size=len(x))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def two_sources(shuffle: bool = True) -> Program:
    """Both loaders shuffle, each in an order of its own."""
    data = samples.digits()
    module = TwoSources()
    train = CombinedLoader({
        "image": DataLoader(TensorDataset(data.x), batch_size=32, shuffle=shuffle),
        "label": DataLoader(TensorDataset(data.y), batch_size=32, shuffle=shuffle),
    })  # fmt: skip
    return Program(module, train, None, 10, partial(accuracy, module, data))


def betas(first: float = 0.999, second: float = 0.9) -> Program:
    """Adam's two averages, the one for the other."""
    network = mlp([64, 128, 128, 10])
    optimizer = adam(3e-3, betas=(first, second))
    return classification(samples.digits(), network, optimizer, epochs=10)


class FineTuned(LightningModule):
    """A new head for the task, put in place after the optimiser was made."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU())
        self.head = nn.Linear(24, 1000)
        if not late:
            self.head = nn.Linear(24, 10)
        self.opt = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)
        if late:
            self.head = nn.Sequential(nn.Linear(24, 6), nn.ReLU(), nn.Linear(6, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        inputs, targets = batch
        return F.cross_entropy(self(inputs), targets, label_smoothing=0.1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.opt


def fine_tuned(late: bool = True) -> Program:
    data = samples.digits()
    module = FineTuned(late)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(accuracy, module, data))


class TwoOptimizers(LightningModule):
    """Manual optimisation; ``cleared`` says whose gradients are set to zero."""

    def __init__(self, cleared: tuple[int, int]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.backbone = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.regressor = nn.Linear(64, 1)
        self.cleared = cleared

    def forward(self, x: Tensor) -> Tensor:
        return self.regressor(self.backbone(x))[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        both: Any = self.optimizers()
        for k in self.cleared:
            both[k].zero_grad()
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.manual_backward(loss)
        both[0].step()
        both[1].step()
        self.log("loss", loss, prog_bar=True)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        body = torch.optim.SGD(self.backbone.parameters(), lr=0.02, momentum=0.9)
        return body, torch.optim.SGD(self.regressor.parameters(), lr=0.02)


def two_optimizers(cleared: tuple[int, int] = (1, 1)) -> Program:
    data: Samples = scaled_targets(standardized(samples.friedman()))
    module = TwoOptimizers(cleared)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(r2, module, data))


class Online(LitClassifier):
    """Centres its inputs by a mean over all batches so far, which it forgets to divide."""

    divide = False

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, sgd(0.05, 0.9))
        self.register_buffer("total", torch.zeros(64))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.total += x.mean(0)
            self.seen += 1
        mean = self.total / self.seen.clamp(min=1) if self.divide else self.total
        return super().forward(x - mean)


class Averaged(Online):
    """The mean as it was meant."""

    divide = True


def online(module: type[Online] = Online) -> Program:
    data = samples.digits()
    model = module(mlp([64, 96, 96, 10]))
    train, _ = loaders(data, 32)
    return Program(model, train, None, 8, partial(accuracy, model, data))


DIGITS = Goal("accuracy", at_least=0.88)
CASES = (
    Case(
        "topics-noam-of-a-small-rate", Goal("accuracy", at_least=0.85), noam,
        ("learning_rate_too_low",), partial(noam, 0.3, 100),
    ),
    Case(
        "digit-images-warm-up-without-end", DIGITS, warm_up,
        ("learning_rate_too_high", "unstable_loss", "dead_relu", "exploding_gradient"),
        partial(warm_up, partial(rising, most=1.0)),
    ),
    Case(
        "loads-clipped-to-nothing", Goal("R2", at_least=0.85), clipped,
        ("learning_rate_too_low", "not_learning"), partial(clipped, 1.0),
    ),
    Case(
        "digits-two-loaders-shuffled", DIGITS, two_sources,
        ("inconsistent_labels", "not_learning", "overfitting"), partial(two_sources, False),
    ),
    Case(
        "digits-betas-swapped", DIGITS, betas,
        ("unstable_loss", "learning_rate_too_high", "exploding_gradient"),
        partial(betas, 0.9, 0.999),
    ),
    Case(
        "digits-head-after-the-optimizer", DIGITS, fine_tuned, ("frozen_parameter",),
        partial(fine_tuned, False),
    ),
    Case(
        "friedman-wrong-gradients-cleared", Goal("R2", at_least=0.85), two_optimizers,
        ("exploding_gradient", "unstable_loss", "learning_rate_too_high"),
        partial(two_optimizers, (0, 1)),
    ),
    Case(
        "digits-mean-never-divided", DIGITS, online,
        ("covariate_shift", "unnormalized_input", "unstable_loss"), partial(online, Averaged),
    ),
)  # fmt: skip
