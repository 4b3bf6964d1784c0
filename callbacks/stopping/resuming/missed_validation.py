"""The validation that was due when a checkpoint was saved, and that Lightning skips."""

import math
from inspect import signature

from lightning.pytorch import Trainer

from .progress import batch_progress, epochs_trained


def batches_trained(trainer: Trainer) -> int:
    """Return the number of training batches, including earlier runs that this one resumes."""
    return batch_progress(trainer).total.processed  # type: ignore[no-any-return]


def is_missed(trainer: Trainer, validated: int | None, *, in_time: bool) -> bool:
    """Whether the resumed run was saved between a batch and the validation due after it.

    Step-based checkpoints are saved there, and Lightning continues with the next batch. It resumes
    one saved during validation with the first batches, as many as were left.

    Args:
        trainer: The Trainer, when training starts.
        validated: Batches trained up to the last validation; None if unknown.
        in_time: Whether one was due by the clock, if validation is time-based.
    """
    if validated is None or not trainer.enable_validation:
        return False
    if not trainer.fit_loop.restarted_mid_epoch or not batch_progress(trainer).current.processed:
        return False  # none is due before an epoch's first batch, nor after its end
    return validated < batches_trained(trainer) and (in_time or is_due(trainer))


def is_due(trainer: Trainer) -> bool:
    """Whether one is due after the last trained batch, unless validation is time-based."""
    if trainer.val_check_batch is None:
        return False
    interval: float = trainer.val_check_batch
    trained, every = batches_trained(trainer), trainer.check_val_every_n_epoch
    if every is not None and math.ceil(epochs_trained(trainer)) % every:
        return False
    progress = batch_progress(trainer)
    if progress.is_last_batch and (interval == math.inf or _fetches_itself(trainer)):
        return True
    return (trained if every is None else progress.current.processed) % interval == 0


def _fetches_itself(trainer: Trainer) -> bool:
    """Whether the step takes the iterator: then validation always follows the last batch."""
    return "dataloader_iter" in signature(trainer.lightning_module.training_step).parameters


def validate_late(trainer: Trainer) -> None:
    """Run that validation before the weights change, with everything Lightning does for it."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    if not trainer.fit_loop.epoch_loop._should_accumulate():
        # Under manual optimisation, too, where gradients may have been accumulated.
        trainer.lightning_module.on_validation_model_zero_grad()
    loop.restarting = False
    # As at the start of an epoch, so that no batch counts as begun twice.
    loop.batch_progress.total.reset()
    trainer.validating = True
    try:
        loop.run()
    finally:
        trainer.training = True
        # Otherwise an epoch with all batches trained is not ended, nor is any later one trained.
        loop._has_run = False
