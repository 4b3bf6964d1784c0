"""A callback that runs before all others when a batch ends."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from .helping_callbacks import HelpingCallback, callbacks_of


class FirstPlace(HelpingCallback):
    """Handle a batch's end before another callback can save or fail.

    Args:
        end: Called when the batch's step is done, with its outputs.
    """

    def __init__(self, end: Callable[[Trainer, Any], None]) -> None:
        self._end = end

    def take(self, trainer: Trainer) -> None:
        """Take the first place by replacing the list, which is being iterated over."""
        callbacks = callbacks_of(trainer)
        if self not in callbacks:
            trainer.callbacks = [self, *callbacks]  # type: ignore[attr-defined]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Call ``end``."""
        self._end(trainer, outputs)
