"""Checkpoints that are loaded for testing, validation or prediction."""

from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn


def keep_record_of_fit(callback: Callback, trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Remove a callback's state from a loaded checkpoint, unless it is loaded for training.

    Lightning restores callback states in ``trainer.test(ckpt_path="best")``, too: the record of the
    last fit would be reset to where the checkpoint was saved, and the next fit would be mistaken
    for its continuation.
    """
    if trainer.state.fn != TrainerFn.FITTING:
        checkpoint.get("callbacks", {}).pop(callback.state_key, None)
