"""A place before all other callbacks, where a batch begins and where it ends."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class FirstPlace(Callback):
    """See a batch before another callback can save, or fail.

    Args:
        begin: What to call where one begins.
        end: And where its step is done, with what that returned.
    """

    def __init__(
        self, begin: Callable[[Trainer], None], end: Callable[[Trainer, Any], None]
    ) -> None:
        self._begin, self._end = begin, end

    def take(self, trainer: Trainer) -> None:
        """Take the place, once, where a batch begins.

        In a new list: the old one is gone through at the moment.
        """
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        if self not in callbacks:
            trainer.callbacks = [self, *callbacks]  # type: ignore[attr-defined]
            self._begin(trainer)

    def leave(self, trainer: Trainer) -> None:
        """Leave the list, likewise."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        if self in callbacks:
            trainer.callbacks = [c for c in callbacks if c is not self]  # type: ignore[attr-defined]

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
