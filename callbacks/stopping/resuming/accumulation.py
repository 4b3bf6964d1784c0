"""Batches in a step, where a callback changes them and an epoch is resumed in its midst."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from .helping_callbacks import drop_callbacks

# By name: Lightning's class is there twice, in lightning and in pytorch_lightning.
_NUMBER = "get_accumulate_grad_batches"


def resume_accumulation(trainer: Trainer) -> None:
    """Have ``GradientAccumulationScheduler`` set them, as it does only where an epoch begins."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    schedulers = _schedulers(trainer)
    is_seen_to = any(isinstance(callback, AccumulateAgain) for callback in callbacks)
    if schedulers and not is_seen_to:
        callbacks.append(AccumulateAgain(schedulers))


@contextmanager
def accumulating(trainer: Trainer) -> Iterator[None]:
    """Have the Trainer know the number of the epoch that goes on, until they set it again."""
    before = trainer.accumulate_grad_batches
    for scheduler in _schedulers(trainer):
        trainer.accumulate_grad_batches = getattr(scheduler, _NUMBER)(trainer.current_epoch)
    try:
        yield
    finally:
        trainer.accumulate_grad_batches = before


def _schedulers(trainer: Trainer) -> list[Any]:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if hasattr(callback, _NUMBER)]


class AccumulateAgain(Callback):
    """Call them once every callback has begun: they accept no other number than one before."""

    def __init__(self, schedulers: list[Any]) -> None:
        self._schedulers = schedulers

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Of the epoch that goes on; where another one begins, they set it again."""
        for scheduler in self._schedulers:
            scheduler.on_train_epoch_start(trainer, pl_module)
        drop_callbacks(trainer, AccumulateAgain)
