"""Callbacks that are in the Trainer's list for a while only."""

from lightning.pytorch import Callback, Trainer


def drop_callbacks(trainer: Trainer, *kinds: type[Callback]) -> None:
    """Leave a list without them behind: the old one may still be gone through."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    if any(isinstance(callback, kinds) for callback in callbacks):
        trainer.callbacks = [c for c in callbacks if not isinstance(c, kinds)]  # type: ignore[attr-defined]
