"""A fourth examiner's faults: in how it generalizes, in layers, and in what is trained at all."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner_fourth
from data_sets.samples import digits, friedman, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from scores import accuracy, cross_entropy, r2
from torch import Tensor, nn

Batch = list[Tensor]


class Diagnosis(LightningModule):
    """From the activity of many genes of few patients to an illness."""

    def __init__(self, width: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.mlp = nn.Sequential(
            nn.Linear(60, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 2),
        )  # fmt: skip

    def forward(self, genes: Tensor) -> Tensor:
        logits: Tensor = self.mlp(genes)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        genes, ill = batch
        loss = F.cross_entropy(self(genes), ill)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        genes, ill = batch
        logits = self(genes)
        self.log("val_loss", F.cross_entropy(logits, ill))
        self.log("val_acc", (logits.argmax(1) == ill).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def diagnosis(width: int, dropout: float, decay: float, epochs: int) -> Program:
    data = examiner_fourth.genes()
    module = Diagnosis(width, dropout, decay)
    score = partial(cross_entropy, module, data)
    return Program(module, *loaders(data, 16), epochs, score)


class TideGru(LightningModule):
    """A recurrent network with a penalty on all of its weights."""

    def __init__(self, penalty: float) -> None:
        super().__init__()
        self.penalty = penalty
        self.gru = nn.GRU(2, 32, batch_first=True)
        self.level = nn.Linear(32, 1)

    def forward(self, gauges: Tensor) -> Tensor:
        _, last = self.gru(gauges)
        level: Tensor = self.level(last[0])
        return level.squeeze(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        gauges, level = batch
        mse = F.mse_loss(self(gauges), level)
        l2 = sum((p.pow(2).sum() for p in self.parameters()), torch.zeros(()))
        self.log_dict({"mse": mse, "l2": l2})
        return mse + self.penalty * l2

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        gauges, level = batch
        self.log("val_mse", F.mse_loss(self(gauges), level))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tide_gru(penalty: float) -> Program:
    data = examiner_fourth.tides()
    module = TideGru(penalty)
    return Program(module, *loaders(data, 30), 9, partial(r2, module, data))


class NormedSignals(LightningModule):
    """Three convolutions with batch normalization."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in ((1, 16), (16, 24), (24, 24)):
            layers += [
                nn.Conv1d(inside, outside, 7, stride=2, padding=3, bias=False),
                nn.BatchNorm1d(outside, momentum=momentum), nn.ReLU(),
            ]  # fmt: skip
        self.encoder = nn.Sequential(*layers)
        self.head = nn.Linear(24, 4)

    def forward(self, signal: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(signal).amax(-1))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        signal, kind = batch
        logits = self(signal)
        self.log("acc", (logits.argmax(1) == kind).float().mean(), prog_bar=True)
        return F.cross_entropy(logits, kind)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        signal, kind = batch
        logits = self(signal)
        self.log("acc_val", (logits.argmax(1) == kind).float().mean())
        self.log("ce_val", F.cross_entropy(logits, kind))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)


def normed_signals(momentum: float) -> Program:
    data = examiner_fourth.bearings()
    data = data.with_inputs(3 * data.x, 3 * data.x_test)
    module = NormedSignals(momentum)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class EncoderAndHead(LightningModule):
    """A narrow encoder and a head; both ought to be given to the optimizer."""

    def __init__(self, together: bool) -> None:
        super().__init__()
        self.together = together
        self.encoder = nn.Sequential(
            nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 24), nn.Tanh(), nn.Linear(24, 8), nn.Tanh()
        )
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, digit = batch
        loss = F.cross_entropy(self(x), digit)
        self.log("ce/train", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, digit = batch
        self.log("ce/val", F.cross_entropy(self(x), digit))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        trained = self if self.together else self.head
        optimizer = torch.optim.Adam(trained.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def encoder_and_head(together: bool) -> Program:
    data = digits()
    module = EncoderAndHead(together)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class AttentionPooling(LightningModule):
    """A weighted mean over the steps; the weights are kept for a picture of them."""

    def __init__(self, cut_off: bool) -> None:
        super().__init__()
        self.cut_off = cut_off
        self.keys, self.query = nn.Linear(5, 16), nn.Linear(16, 1, bias=False)
        self.values = nn.Linear(5, 24)
        self.output = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))
        self.seen = torch.zeros(0)

    def forward(self, steps: Tensor) -> Tensor:
        weights = self.query(torch.tanh(self.keys(steps))).softmax(1)
        self.seen = weights.detach()
        pooled = ((self.seen if self.cut_off else weights) * self.values(steps)).sum(1)
        logits: Tensor = self.output(pooled)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


def attention_pooling(cut_off: bool) -> Program:
    data = examiner_fourth.marked()
    module = AttentionPooling(cut_off)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class Stack(nn.Module):
    """Layers one after another, an activation between them if there is one."""

    def __init__(self, sizes: tuple[int, ...], activation: nn.Module | None) -> None:
        super().__init__()
        self.activation = activation
        self.layers = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if self.activation is not None and i < len(self.layers) - 1:
                x = self.activation(x)
        return x


class FriedmanNet(LightningModule):
    """Three hidden layers for a regression with some curved terms."""

    def __init__(self, activation: nn.Module | None) -> None:
        super().__init__()
        self.model = Stack((10, 64, 64, 32, 1), activation)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)
        return y[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.huber_loss(self(x), y)
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("val_huber", F.huber_loss(self(x), y))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 18)
        return [optimizer], [schedule]


def friedman_net(activation: nn.Module | None) -> Program:
    data = scaled_targets(standardized(friedman()))
    module = FriedmanNet(activation)
    return Program(module, *loaders(data, 32), 18, partial(r2, module, data))


class Yield(LightningModule):
    """The yield of a plant by its sensors."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 64), nn.Linear(64, 64), nn.Linear(64, 1)

    def forward(self, sensors: Tensor) -> Tensor:
        hidden = F.silu(self.b(F.silu(self.a(sensors))))
        found: Tensor = self.c(hidden)
        return found.flatten()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        sensors, amount = batch
        loss = F.mse_loss(self(sensors), amount)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        sensors, amount = batch
        self.log("val_mse", F.mse_loss(self(sensors), amount))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9)


def plant_yield(shuffle: bool) -> Program:
    """The rows come in the order of the days, and the sensors creep up from day to day."""
    data = standardized(examiner_fourth.plant())
    module = Yield()
    both = loaders(data, 25, shuffle=shuffle)
    return Program(module, *both, 12, partial(r2, module, data))


CASES = (
    Case(
        "examiner-few-patients-many-genes", Goal("cross-entropy", at_most=0.55),
        partial(diagnosis, 256, 0.0, 0.0, 25), ("overfitting",),
        partial(diagnosis, 256, 0.5, 0.1, 6),
    ),
    Case(
        "examiner-penalized-tides", Goal("R2", at_least=0.85), partial(tide_gru, 0.08),
        ("over_regularized",), partial(tide_gru, 1e-5),
    ),
    Case(
        "examiner-statistics-that-lag", Goal("accuracy", at_least=0.9),
        partial(normed_signals, 3e-4), ("train_eval_mismatch",), partial(normed_signals, 0.1),
    ),
    Case(
        "examiner-head-without-its-encoder", Goal("accuracy", at_least=0.9),
        partial(encoder_and_head, False), ("frozen_parameter",), partial(encoder_and_head, True),
    ),
    Case(
        "examiner-detached-attention", Goal("accuracy", at_least=0.85),
        partial(attention_pooling, True), ("frozen_parameter",),
        partial(attention_pooling, False),
    ),
    Case(
        "examiner-stack-of-matrices", Goal("R2", at_least=0.85),
        partial(friedman_net, None), ("linear_network",), partial(friedman_net, nn.Tanh()),
    ),
    Case(
        "examiner-plant-day-by-day", Goal("R2", at_least=0.9), partial(plant_yield, False),
        ("covariate_shift", "unstable_loss"), partial(plant_yield, True),
    ),
)  # fmt: skip
