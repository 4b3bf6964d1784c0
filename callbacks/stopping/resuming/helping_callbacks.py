"""Callbacks that are only temporarily in the Trainer's list."""

from lightning.pytorch import Callback, Trainer


def drop_callbacks(trainer: Trainer, *kinds: type[Callback]) -> None:
    """Remove them by replacing the list: the old one may still be iterated over."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    if any(isinstance(callback, kinds) for callback in callbacks):
        trainer.callbacks = [c for c in callbacks if not isinstance(c, kinds)]  # type: ignore[attr-defined]
