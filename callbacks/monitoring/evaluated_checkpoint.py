"""A checkpoint that is loaded to be tested, validated or predicted with."""

from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.trainer.states import TrainerFn


def keep_record_of_fit(callback: Callback, trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Take a callback's state out of a loaded checkpoint, unless it is loaded to be trained.

    Lightning gives callbacks their states with ``trainer.test(ckpt_path="best")``, too: what was
    recorded up to the end of the fit before would be taken back to where the checkpoint was saved,
    and the next fit taken for one that goes on.
    """
    if trainer.state.fn != TrainerFn.FITTING:
        checkpoint.get("callbacks", {}).pop(callback.state_key, None)
