"""What Lightning gets wrong about the epoch in which a checkpoint was saved, put right.

A checkpoint of an epoch's last batch counts for Lightning as one of an epoch that is over: it
leaves the epoch's end out, with all that is logged there, and does not begin the next one, so that
a second interruption finds that one over, too, and trains it again.
"""

from lightning.pytorch import Callback, LightningModule, Trainer

from .progress import batch_progress


def is_end_missed(trainer: Trainer, ended: int | None) -> bool:
    """Whether the resumed run was saved between an epoch's last batch and the end of its hooks.

    Args:
        trainer: The Trainer, when training starts.
        ended: Epochs whose end this callback had seen; None where that is not known.
    """
    loop = trainer.fit_loop
    if not batch_progress(trainer).is_last_batch:
        return False
    if loop.restarted_mid_epoch:
        # In that batch's own hooks, whereupon Lightning counts the epoch as over, or behind them.
        return loop.epoch_loop.restarted_on_train_batch_end or loop.epoch_loop.restarted_on_last
    if ended is None or ended >= loop.epoch_progress.current.started:
        return False
    return loop.resumed_on_epoch_end or loop.restarted_on_epoch_end


def begin_next(trainer: Trainer) -> None:
    """Have the next epoch begun where the last one is over.

    Saved before the first batch of an epoch, it is taken for one whose batches are all trained.
    Saved at the end of one, Lightning ends it again where ``max_steps`` is given.
    """
    loop = trainer.fit_loop
    if loop.restarted_on_epoch_start:
        loop.epoch_loop.restarting = False
    elif loop.restarted_on_epoch_end:
        for count in (loop.epoch_progress.current, loop.epoch_progress.total):
            count.completed = count.processed
        loop.reset_restart_stage()
        loop.epoch_loop.restarting = loop._restarting = False


class EndLate(Callback):
    """Have Lightning end the epoch, once every callback has begun; then leave again.

    A stop waits for it, as it does where nothing was interrupted.
    """

    def __init__(self) -> None:
        self._stops = False

    @classmethod
    def append(cls, trainer: Trainer) -> None:
        """Count the epoch as one that is not over, and take the last place in Lightning's list."""
        loop, batches = trainer.fit_loop, batch_progress(trainer)
        in_end = not loop.restarted_mid_epoch
        for count in (loop.epoch_progress.current, loop.epoch_progress.total):
            count.processed = count.completed = count.started - 1
        for count in (batches.current, batches.total):
            count.completed = count.processed
        loop.restarting = True
        loop.update_restart_stage()
        if not in_end:
            # Else the step of the last batch is not counted for the loggers.
            loop.epoch_loop.reset_restart_stage()
        trainer.callbacks.append(cls())  # type: ignore[attr-defined]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """There is nothing to train in this epoch, nor to validate any more."""
        trainer.fit_loop.epoch_loop.val_loop._has_run = True
        self._stops, trainer.should_stop = trainer.should_stop, False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The next epoch is one like any other."""
        loop = trainer.fit_loop.epoch_loop
        loop.restarting = loop.val_loop._has_run = False
        trainer.should_stop |= self._stops
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        trainer.callbacks = [c for c in callbacks if c is not self]  # type: ignore[attr-defined]
