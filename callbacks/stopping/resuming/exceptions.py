"""Whether an exception can leave a checkpoint behind."""

from typing import Any

from lightning.pytorch import Trainer

from ..helping_callbacks import callbacks_of

_PACKAGE = __name__.partition(".callbacks.")[0]
# By name: Lightning's classes exist twice, in lightning and in pytorch_lightning.
_IDLE = ("Callback.on_exception", "LightningDataModule.on_exception")
_TIDIES = "RichProgressBar.on_exception"
_SAVES = "ModelCheckpoint.on_exception"


def saves_on_exception(trainer: Trainer) -> bool:
    """Whether any ``on_exception`` hook may save a checkpoint; unknown ones are assumed to."""
    called = [*callbacks_of(trainer), trainer.datamodule]  # type: ignore[attr-defined]
    return any(_may_save(one) for one in called if one is not None)


def _may_save(one: Any) -> bool:
    method = one.on_exception
    if method.__qualname__ == _SAVES:
        return bool(one.save_on_exception)
    if method.__qualname__ in (*_IDLE, _TIDIES):
        return False
    return not method.__module__.startswith(f"{_PACKAGE}.")
