"""A module that logs scripted values of training batches in several ways, and interruptions."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, Checkpoint
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAUROC

from torchvitals.callbacks import EarlyStopping

from .scripted import batches
from .training import quiet_trainer

BATCHES, EPOCHS = 5, 8
_generator = torch.Generator().manual_seed(3)
# Falls, then rises; the batches of an epoch differ, so that the mean of its rest is another one.
_trend = torch.tensor([5.0, 4, 3, 3.5, 4.5, 5, 6, 7]).repeat_interleave(BATCHES)
LOSSES: list[float] = (_trend + 4 * torch.rand(len(_trend), generator=_generator)).tolist()
SIZES: list[int] = torch.randint(1, 9, (len(LOSSES),), generator=_generator).tolist()
# How the value is logged, and under which name it is watched.
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "mean": ({}, "x"),
    "mean, each step too": ({"on_step": True}, "x_epoch"),
    "mean, each step too, short name": ({"on_step": True}, "x"),
    "sum": ({"reduce_fx": "sum"}, "x"),
    "max": ({"reduce_fx": "max"}, "x"),
    "min": ({"reduce_fx": "min"}, "x"),
    "first batch only": ({"hook": "training_step", "every": BATCHES}, "x"),
    "from the third batch on": ({"start": 2}, "x"),
    "on the last rank only": ({"last_rank_only": True, "sync_dist": False}, "x"),
    "at the batch's start": ({"hook": "on_train_batch_start"}, "x"),
    "at the batch's end": ({"hook": "on_train_batch_end"}, "x"),
    "at the epoch's end": ({"hook": "on_train_epoch_end"}, "x"),
    "metric": ({"metric": "mean"}, "x"),
    "metric with lists": ({"metric": "auroc"}, "x"),
    "large metric": ({"metric": "binned auroc"}, "x"),
    "metric with lists, later": ({"metric": "auroc", "start": 2}, "x"),
}


def logged_on(number: int, rank: int, losses: list[float] = LOSSES) -> tuple[float, int]:
    """Value and size of a batch: ranks differ."""
    return losses[number] + rank * (number % 3), SIZES[number] + rank


def scores_of(number: int, rank: int, losses: list[float] = LOSSES) -> Tensor:
    """Scores of a batch, more of them on the second rank; every other one is a positive."""
    value = torch.tensor(logged_on(number, rank, losses)[0])
    return torch.sin(value * torch.arange(1, 7 + rank)).abs()


class Logs(LightningModule):
    """Its weight is the number of steps done."""

    def __init__(
        self, hook="training_step", every=1, start=0, metric=None, losses=LOSSES,
        last_rank_only=False, **arguments,
    ):  # fmt: skip
        super().__init__()
        self.hook, self.every, self.metric, self.losses = hook, every, metric, losses
        self.start, self.last_rank_only = start, last_rank_only
        self.arguments = {"on_step": False, "on_epoch": True, "sync_dist": True, **arguments}
        self.weight = nn.Parameter(torch.zeros(1))
        self.meters = nn.ModuleDict({"mean": MeanMetric(), "auroc": BinaryAUROC(),
                                     # 6000 numbers, of which a batch changes some.
                                     "binned auroc": BinaryAUROC(thresholds=1500)})  # fmt: skip

    def say(self, hook: str, batch_idx: int) -> None:
        """Log the value of this batch, if it is logged in this hook."""
        number = self.current_epoch * BATCHES + batch_idx
        if hook != self.hook or batch_idx % self.every or batch_idx < self.start:
            return
        if self.last_rank_only and self.global_rank < self.trainer.world_size - 1:
            return
        logged, size = logged_on(number, self.global_rank, self.losses)
        value = torch.tensor(logged)
        if self.metric == "mean":
            self.log("x", self.meters["mean"], on_step=False, on_epoch=True)
            self.meters["mean"](value)
        elif self.metric is not None:
            scores = scores_of(number, self.global_rank, self.losses)
            self.meters[self.metric](scores, torch.arange(len(scores)) % 2)
            self.log("x", self.meters[self.metric], on_step=False, on_epoch=True)
        else:
            self.log("x", value, batch_size=size, **self.arguments)

    def on_train_batch_start(self, batch: Tensor, batch_idx: int) -> None:
        self.weight.data.fill_(self.global_step + 1)
        self.say("on_train_batch_start", batch_idx)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.say("training_step", batch_idx)
        return (self.weight * 0).sum()

    def on_train_batch_end(self, outputs: Any, batch: Tensor, batch_idx: int) -> None:
        self.say("on_train_batch_end", batch_idx)

    def on_train_epoch_end(self) -> None:
        if self.hook == "on_train_epoch_end":
            start = self.current_epoch * BATCHES
            mean = sum(self.losses[start : start + BATCHES]) / BATCHES
            self.log("x", mean + self.global_rank, **self.arguments)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val_loss", float(self.global_step), sync_dist=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Saves(Callback):
    """Saves a checkpoint in a hook after so many steps, or on the exception there, and stops."""

    def __init__(self, path: Path, hook: str, step: int, on_exception: bool = False) -> None:
        self.path, self.step, self.late = path, step, on_exception
        setattr(self, hook, self.interrupt)

    def interrupt(self, trainer: Any, *_: Any) -> None:
        """Save now or in a moment."""
        if trainer.global_step == self.step and not trainer.sanity_checking:
            if not self.late:
                trainer.save_checkpoint(self.path)
            raise InterruptedError

    def on_exception(self, trainer: Any, *_: Any) -> None:
        """Save where nothing was saved before."""
        if self.late:
            trainer.save_checkpoint(self.path)


def fit(
    way: str, saves: Callback | None = None, ckpt: Path | None = None, first: bool = False,
    arguments: dict[str, Any] | None = None, losses: list[float] = LOSSES, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Watch one way of logging, interrupted before or behind the callback's own hooks."""
    logs, name = WAYS[way]
    stopping = EarlyStopping(**{"monitor": name, "patience": 2, **(arguments or {})})
    model = Logs(**logs, losses=losses)
    callbacks = [stopping, *([saves] if saves else [])]
    behind = isinstance(saves, Checkpoint)
    settings = {"max_epochs": EPOCHS, "num_sanity_val_steps": 0, "enable_checkpointing": behind,
                **settings}  # fmt: skip
    trainer = quiet_trainer(callbacks=callbacks[:: -1 if first else 1], **settings)
    expected = pytest.raises(InterruptedError) if isinstance(saves, Saves) else nullcontext()
    with expected:
        trainer.fit(model, batches(BATCHES), batches(2), ckpt_path=ckpt)
    return {
        "step": trainer.global_step,
        "epochs": trainer.current_epoch,
        "reason": stopping.stopping_reason,
        "sentence": stopping.stopping_reason_message,
        "best": (stopping.best_epoch, float(stopping.best_score)),
        "restored": model.weight.item(),
        "values": stopping.judge.first.values,
    }


def save_whole_and_resumed(path: Path, cases: dict[str, Any], fit: Any) -> None:
    """Save, for each case, what this rank finds of a whole run and of a resumed one.

    Args:
        path: The file, to which the rank is added.
        cases: First argument of ``fit``, and the hook and the step of the interruption.
        fit: Called as ``fit(argument, saves=None, ckpt=None)``.
    """
    found = {}
    for name, (argument, hook, step) in cases.items():
        checkpoint = path.parent / f"{name}.ckpt"
        fit(argument, Saves(checkpoint, hook, step))
        found[name] = (fit(argument), fit(argument, ckpt=checkpoint))
    torch.save(found, f"{path}.{torch.distributed.get_rank()}")
