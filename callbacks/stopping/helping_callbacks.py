"""Callbacks that are only temporarily in the Trainer's list."""

from lightning.pytorch import Callback, Trainer


class HelpingCallback(Callback):
    """A callback that early stopping adds to the Trainer's list for a while."""

    def leave(self, trainer: Trainer) -> None:
        """Leave the list by replacing it: the old one is being iterated over."""
        others = [callback for callback in callbacks_of(trainer) if callback is not self]
        trainer.callbacks = others  # type: ignore[attr-defined]


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """Return the Trainer's callbacks, in its own list."""
    return trainer.callbacks  # type: ignore[attr-defined,no-any-return]


def drop_helpers(trainer: Trainer) -> None:
    """Remove those left over from this fit, or from one that another callback's failure ended."""
    for callback in callbacks_of(trainer):
        if isinstance(callback, HelpingCallback):
            callback.leave(trainer)
