"""Batches per step, if a callback changes their number, also when a run is resumed mid-epoch."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from ..helping_callbacks import HelpingCallback, callbacks_of

# By name: Lightning's class exists twice, in lightning and in pytorch_lightning.
_NUMBER = "get_accumulate_grad_batches"


def resume_accumulation(trainer: Trainer) -> None:
    """Make ``GradientAccumulationScheduler`` set them, as it otherwise does at an epoch's start."""
    callbacks, schedulers = callbacks_of(trainer), _schedulers(trainer)
    is_seen_to = any(isinstance(callback, AccumulateAgain) for callback in callbacks)
    if schedulers and not is_seen_to:
        callbacks.append(AccumulateAgain(schedulers))


@contextmanager
def accumulating(trainer: Trainer) -> Iterator[None]:
    """Give the Trainer the resumed epoch's batches per step, until the schedulers set them."""
    before = trainer.accumulate_grad_batches
    trainer.accumulate_grad_batches = batches_per_step(trainer, trainer.current_epoch)
    try:
        yield
    finally:
        trainer.accumulate_grad_batches = before


def batches_per_step(trainer: Trainer, epoch: int) -> int:
    """Return their number in an epoch, whichever the Trainer has now."""
    numbers = [getattr(scheduler, _NUMBER)(epoch) for scheduler in _schedulers(trainer)]
    return [trainer.accumulate_grad_batches, *numbers][-1]  # type: ignore[no-any-return]


def steps_of_epochs(trainer: Trainer, epochs: int) -> float:
    """Return the number of steps in the first epochs; infinite if their length is unknown."""
    batches = trainer.num_training_batches
    if math.isinf(batches):
        return math.inf
    changes = {epoch for scheduler in _schedulers(trainer) for epoch in scheduler.epochs}
    starts = sorted({0, *(epoch for epoch in changes if epoch < epochs)})
    steps = 0
    for start, end in zip(starts, [*starts[1:], epochs], strict=True):
        steps += (end - start) * math.ceil(batches / batches_per_step(trainer, start))
    return float(steps)


def _schedulers(trainer: Trainer) -> list[Any]:
    return [callback for callback in callbacks_of(trainer) if hasattr(callback, _NUMBER)]


class AccumulateAgain(HelpingCallback):
    """Call the schedulers once all callbacks have started: until then they accept only 1."""

    def __init__(self, schedulers: list[Any]) -> None:
        self._schedulers = schedulers

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set them for the resumed epoch; for later ones the schedulers do so themselves."""
        for scheduler in self._schedulers:
            scheduler.on_train_epoch_start(trainer, pl_module)
        self.leave(trainer)
