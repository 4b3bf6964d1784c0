"""The learning rate of ``StochasticWeightAveraging``, if a run is resumed mid-epoch."""

from typing import Any

from lightning.pytorch import Trainer

from ..other_hooks import averages_at_end
from .progress import left_to_lightning


def resume_rate(trainer: Trainer) -> None:
    """Make the callback set up its schedule, as it otherwise does only at an epoch's start.

    A checkpoint saved before that would lack its schedule and its average.
    """
    with left_to_lightning("The learning rate of StochasticWeightAveraging"):
        for callback in averages_at_end(trainer):
            if _is_due(callback, trainer.current_epoch):
                _set_up(callback, trainer)


def _is_due(callback: Any, epoch: int) -> bool:
    resumes = callback._scheduler_state is not None and not callback._initialized
    return bool(resumes and callback.swa_start <= epoch <= callback.swa_end)


def _set_up(callback: Any, trainer: Trainer) -> None:
    """Set the schedule up, but keep the rates that a new one resets, whatever state it loads."""
    groups = trainer.optimizers[0].param_groups
    rates = [group["lr"] for group in groups]
    callback.on_train_epoch_start(trainer, trainer.lightning_module)
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
