"""A callback that runs before all others when a batch begins and ends."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from .helping_callbacks import HelpingCallback, callbacks_of


class FirstPlace(HelpingCallback):
    """Handle a batch before another callback can save or fail.

    Args:
        begin: Called when a batch begins.
        end: Called when its step is done, with the step's outputs.
    """

    def __init__(
        self, begin: Callable[[Trainer], None], end: Callable[[Trainer, Any], None]
    ) -> None:
        self._begin, self._end = begin, end

    def take(self, trainer: Trainer) -> None:
        """Take the first place once, by replacing the list, which is being iterated over."""
        callbacks = callbacks_of(trainer)
        if self not in callbacks:
            trainer.callbacks = [self, *callbacks]  # type: ignore[attr-defined]
            self._begin(trainer)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Call ``begin``."""
        self._begin(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Call ``end``."""
        self._end(trainer, outputs)
