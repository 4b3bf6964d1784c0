"""Checkpoints that are loaded, but not to continue a training."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn


def keep_record_of_fit(callback: Callback, trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Remove a callback's state from a loaded checkpoint, unless a training continues from it.

    Lightning restores callback states in ``trainer.test(ckpt_path="best")``, too: the record of the
    last fit would be reset to where the checkpoint was saved, and the next fit would be mistaken
    for its continuation. Lightning's tuner loads what it saved before the first step, which is the
    record of another Trainer's fit, if any.
    """
    if trainer.state.fn != TrainerFn.FITTING or _precedes_training(checkpoint):
        checkpoint.get("callbacks", {}).pop(callback.state_key, None)


def _precedes_training(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a checkpoint was saved before the first batch."""
    loop = checkpoint.get("loops", {}).get("fit_loop", {})
    batches = loop.get("epoch_loop.batch_progress", {}).get("total", {})
    return bool(batches.get("ready") == 0)
