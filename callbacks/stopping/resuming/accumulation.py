"""Batches in a step, where a callback changes them and an epoch is resumed in its midst."""

from lightning.pytorch import Callback, LightningModule, Trainer

from .helping_callbacks import drop_callbacks

# By name: Lightning's class is there twice, in lightning and in pytorch_lightning.
_NUMBER = "get_accumulate_grad_batches"


def resume_accumulation(trainer: Trainer) -> None:
    """Have ``GradientAccumulationScheduler`` set them, as it does only where an epoch begins."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    schedulers = [callback for callback in callbacks if hasattr(callback, _NUMBER)]
    is_seen_to = any(isinstance(callback, AccumulateAgain) for callback in callbacks)
    if schedulers and not is_seen_to:
        callbacks.append(AccumulateAgain(schedulers))


class AccumulateAgain(Callback):
    """Call them once every callback has begun: they accept no other number than one before."""

    def __init__(self, schedulers: list[Callback]) -> None:
        self._schedulers = schedulers

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Of the epoch that goes on; where another one begins, they set it again."""
        for scheduler in self._schedulers:
            scheduler.on_train_epoch_start(trainer, pl_module)
        drop_callbacks(trainer, AccumulateAgain)
