"""Correct what Lightning gets wrong about the epoch in which a checkpoint was saved.

Lightning takes a checkpoint of an epoch's last batch for one of an epoch that is over: it skips the
end of the epoch, with everything that is logged there, and does not begin the next one, so that
after a second interruption that one counts as over, too, and is trained again.
"""

from lightning.pytorch import LightningModule, Trainer

from ..helping_callbacks import HelpingCallback, callbacks_of
from .progress import align_progress, batch_progress, epoch_progress, left_to_lightning


def resume_epoch(trainer: Trainer, ended: int | None) -> bool:
    """Make Lightning finish an epoch whose end is due, or else begin the next one.

    Args:
        trainer: The Trainer, when training starts.
        ended: Number of epochs whose end the callback had seen; None if unknown.

    Returns:
        Whether an epoch is finished late.
    """
    with left_to_lightning("An epoch that is resumed at its end"):
        if ended is not None:
            align_progress(trainer)
            if _is_end_due(trainer, ended):
                EndLate.append(trainer)
                return True
        _begin_next(trainer)
    return False


def end_stopped_epoch(trainer: Trainer) -> bool:
    """Make Lightning finish an epoch that a stop had cut short in the run that is resumed.

    Args:
        trainer: The Trainer, when training starts.

    Returns:
        Whether it is finished late.
    """
    is_seen_to = any(isinstance(callback, EndLate) for callback in callbacks_of(trainer))
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
        # Saved in that batch's own hooks (Lightning then counts the epoch as over), or after them.
        return loop.epoch_loop.restarted_on_train_batch_end or loop.epoch_loop.restarted_on_last
    # Saved in the hooks of the epoch's end, before this callback's: they are called again.
    return ended < epoch_progress(trainer).current.started and (
        loop.resumed_on_epoch_end or loop.restarted_on_epoch_end
    )


def _begin_next(trainer: Trainer) -> None:
    """Begin the next epoch if the last one is over.

    If saved before an epoch's first batch, Lightning considers all of its batches trained, and
    omits it from one of its two counts of epochs that are ready. If saved at an epoch's end,
    Lightning ends it again when ``max_steps`` is given.
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


class EndLate(HelpingCallback):
    """Make Lightning finish the epoch, once every callback has started; then leave the list.

    A stop is deferred until then, as in an uninterrupted run.
    """

    def __init__(self) -> None:
        self._stops = False

    @classmethod
    def append(cls, trainer: Trainer) -> None:
        """Mark the epoch as not over, and take the last place in the Trainer's callback list."""
        loop, batches = trainer.fit_loop, batch_progress(trainer)
        in_end = not loop.restarted_mid_epoch
        _count(trainer, over=False)
        for count in (batches.current, batches.total):
            count.completed = count.processed
        loop.restarting = True
        loop.update_restart_stage()
        if not in_end:
            # Otherwise the step of the last batch is not counted for the loggers.
            loop.epoch_loop.reset_restart_stage()
        callbacks_of(trainer).append(cls())

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mark the epoch as validated, and defer a stop: there is nothing left to train in it."""
        trainer.fit_loop.epoch_loop.val_loop._has_run = True
        self._stops, trainer.should_stop = trainer.should_stop, False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the next epoch run as usual, and apply a deferred stop."""
        loop = trainer.fit_loop.epoch_loop
        loop.restarting = loop.val_loop._has_run = False
        trainer.should_stop |= self._stops
        self.leave(trainer)
