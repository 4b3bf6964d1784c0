"""A module whose last hook of a batch logs what its step, its arguments and itself have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, Checkpoint
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAUROC

from torchvitals.callbacks import EarlyStopping

from .epoch_means import BATCHES, EPOCHS, logged_on
from .scripted import batches
from .training import quiet_trainer

EPOCH = {"on_step": False, "on_epoch": True, "sync_dist": True}


@dataclass
class Made:
    """A batch that no checkpoint should hold."""

    y: Tensor

    def __len__(self) -> int:
        return len(self.y)


class Late(LightningModule):
    """Its batches are made of their number, and differ in size; its weights move.

    Args:
        say: What its last hook does.
        manual: Whether it steps optimiser and schedule itself, the latter in that hook.
        object_batch: Whether batches are objects.
    """

    def __init__(self, say: "Say", manual: bool = False, object_batch: bool = False) -> None:
        super().__init__()
        self.say, self.object_batch = say, object_batch
        self.automatic_optimization = not manual
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("count", torch.zeros(1))
        self.meters = nn.ModuleDict({"mean": MeanMetric(), "auroc": BinaryAUROC()})
        self.heard: list[int] = []

    def on_train_start(self) -> None:
        self.offset = 2.0

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if not self.trainer.training:
            return batch
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        value, size = logged_on(self.current_epoch * BATCHES + done, self.global_rank)
        y = value + torch.arange(float(size))
        return Made(y) if self.object_batch else {"y": y, "more": (y, [y])}

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        y = batch.y if self.object_batch else batch["y"]
        self.last, self.parts = y.mean(), [y.min(), {"max": y.max()}]
        self.meters["mean"].update(y)
        self.log("top", y.max(), batch_size=len(y), **EPOCH)
        loss = (self.weight * y.mean()).square().mean() * 1e-3
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return {"loss": loss, "y": y}

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.heard.append(self.current_epoch * BATCHES + batch_idx)
        self.count += 1
        self.say(self, outputs, batch, batch_idx)
        if not self.automatic_optimization:
            self.lr_schedulers().step()

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val_loss", self.weight.sum(), sync_dist=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


Say = Callable[[Late, Any, Any, int], None]


def log_output(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """By what the step gave, of as many samples as Lightning finds in the batch."""
    module.log("x", outputs["y"].mean() + outputs["loss"], **EPOCH)


def log_batch(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """The sum, by what is in the batch."""
    y = batch.y if module.object_batch else batch["y"]
    module.log("x", y.sum() + batch_idx, reduce_fx="sum", **EPOCH)


def log_extremes(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """Two at once."""
    module.log("x", batch["y"].max(), reduce_fx="max", **EPOCH)
    module.log("low", batch["y"].min(), reduce_fx="min", **EPOCH)


def log_each_step(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """And over the epoch."""
    module.log("x", batch["y"].mean(), on_step=True, on_epoch=True, sync_dist=True)


def log_attributes(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """By what the step, and the start of training, left in the module."""
    low, high = module.parts[0], module.parts[1]["max"]
    module.log("x", module.last + (high - low) / 4 + module.offset, **EPOCH)


def log_total(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """By what was summed up in buffers that checkpoints have."""
    module.log("x", batch["y"].mean() + module.count.item() / 100, **EPOCH)


def log_some(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """From the third batch on, every other one."""
    if batch_idx % 2 == 0 and batch_idx:
        log_output(module, outputs, batch, batch_idx)


def update_metric(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """A metric with lists, updated here."""
    scores = torch.sin(torch.cat([batch["y"], batch["y"] + 0.1]) * 5).abs()
    module.meters["auroc"](scores, torch.arange(len(scores)) % 2)
    module.log("x", module.meters["auroc"], on_step=False, on_epoch=True)


def log_metric(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """A metric that the step updates."""
    module.log("x", module.meters["mean"], on_step=False, on_epoch=True)


def compute_metric(module: Late, outputs: Any, batch: Any, batch_idx: int) -> None:
    """Both: the step's update and one more."""
    module.meters["mean"].update(outputs["y"][0] * 2)
    log_metric(module, outputs, batch, batch_idx)


# What is done in the hook, and what is watched.
SAYS: dict[str, tuple[Say, str | list[str]]] = {
    "mean of outputs": (log_output, "x"),
    "sum of the batch": (log_batch, "x"),
    "several": (log_extremes, ["low", "top", "x"]),
    "each step too": (log_each_step, "x"),
    "attributes": (log_attributes, "x"),
    "buffer": (log_total, "x"),
    "some batches": (log_some, "x"),
    "metric": (update_metric, "x"),
    "metric of the step": (log_metric, "x"),
    "metric of both": (compute_metric, "x"),
}


def fit_late(
    name: str, *others: Callback, ckpt: Any = None, arguments: dict[str, Any] | None = None,
    module: dict[str, Any] | None = None, fit: dict[str, Any] | None = None,
    first: bool = False, stoppings: int = 1, kind: type[Late] = Late, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Fit with callbacks behind early stopping, or before it; all of what can be compared."""
    say, monitor = SAYS[name]
    watched = [
        EarlyStopping(**{"monitor": monitor, "patience": 2, **(arguments or {}), **more})
        for more in ({}, {"criterion": "GL", "alpha": 1e9})[:stoppings]
    ]
    model = kind(say, **(module or {}))
    callbacks = [*others, *watched] if first else [*watched, *others]
    saves = any(isinstance(one, Checkpoint) for one in others)
    settings = {"max_epochs": EPOCHS, "num_sanity_val_steps": 0, "enable_checkpointing": saves,
                **settings}  # fmt: skip
    trainer = quiet_trainer(callbacks=callbacks, **settings)
    try:
        trainer.fit(model, batches(BATCHES), batches(2), ckpt_path=ckpt, **(fit or {}))
    except InterruptedError:
        return {"heard": model.heard}
    curves = [{m: c.values for m, c in one.judge.curves.items()} for one in watched]
    return {
        "heard": model.heard,
        "step": trainer.global_step,
        "epochs": trainer.current_epoch,
        "sentence": watched[0].stopping_reason_message,
        "curves": curves,
        "weight": model.weight.tolist(),
        "count": model.count.item(),
    }
