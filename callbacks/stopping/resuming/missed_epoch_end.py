"""What Lightning gets wrong about the epoch in which a checkpoint was saved, put right.

A checkpoint of an epoch's last batch counts for Lightning as one of an epoch that is over: it
leaves the epoch's end out, with all that is logged there, and does not begin the next one, so that
a second interruption finds that one over, too, and trains it again.
"""

from lightning.pytorch import Callback, LightningModule, Trainer

from .progress import align_progress, batch_progress, epoch_progress, warn_of_release


def resume_epoch(trainer: Trainer, ended: int | None) -> bool:
    """Have the epoch ended whose end is due, or else the next one begun.

    Args:
        trainer: The Trainer, when training starts.
        ended: Epochs whose end the callback had seen; None where that is not known.

    Returns:
        Whether an epoch is ended late.
    """
    try:
        if ended is not None:
            align_progress(trainer)
        late = ended is not None and _is_end_due(trainer, ended)
        if late:
            EndLate.append(trainer)
        else:
            _begin_next(trainer)
    except AttributeError as error:  # of a release whose loops have changed
        warn_of_release("Where a run is resumed from the end of an epoch, that epoch", error)
        return False
    return late


def end_stopped_epoch(trainer: Trainer) -> bool:
    """Have an epoch ended in whose midst the run that is resumed had stopped.

    Args:
        trainer: The Trainer, when training starts.

    Returns:
        Whether it is ended late.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    is_seen_to = any(isinstance(callback, EndLate) for callback in callbacks)
    if is_seen_to or not trainer.fit_loop.restarted_mid_epoch:
        return False
    batch_progress(trainer).is_last_batch = True
    EndLate.append(trainer)
    return True


def _is_end_due(trainer: Trainer, ended: int) -> bool:
    loop = trainer.fit_loop
    if not batch_progress(trainer).is_last_batch:
        return False
    if loop.restarted_mid_epoch:
        # In that batch's own hooks, whereupon Lightning counts the epoch as over, or behind them.
        return loop.epoch_loop.restarted_on_train_batch_end or loop.epoch_loop.restarted_on_last
    # In the hooks of the epoch's end, before that of the callback: they are called again.
    return ended < epoch_progress(trainer).current.started and (
        loop.resumed_on_epoch_end or loop.restarted_on_epoch_end
    )


def _begin_next(trainer: Trainer) -> None:
    """Where the last epoch is over.

    Saved before the first batch of an epoch, it is taken for one whose batches are all trained,
    and from one of the two counts of epochs that are ready it is left out. Saved at the end of one,
    Lightning ends it again where ``max_steps`` is given.
    """
    loop = trainer.fit_loop
    if loop.restarted_on_epoch_start:
        loop.epoch_loop.restarting = False
        epochs = epoch_progress(trainer).current
        epochs.ready = epochs.started + 1
    elif loop.restarted_on_epoch_end:
        _count(trainer, over=True)
        loop.reset_restart_stage()
        loop.epoch_loop.restarting = loop._restarting = False


def _count(trainer: Trainer, over: bool) -> None:
    epochs = epoch_progress(trainer)
    for count in (epochs.current, epochs.total):
        count.processed = count.completed = count.started - (not over)


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
        _count(trainer, over=False)
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
