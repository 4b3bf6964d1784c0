"""What cannot come back of an epoch that is resumed, and is said instead."""

from lightning.pytorch.utilities import rank_zero_warn


def warn_of_lost(names: list[str]) -> None:
    """An exception came, and the ranks had not told each other."""
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will be that of its rest: the "
            "checkpoint was saved after an exception, when the other ranks could not be asked, and "
            "they had not told before. They do after each batch where a callback or the data "
            "module has an `on_exception`: save there, as `OnExceptionCheckpoint` does."
        )


def warn_of_behind(names: list[str]) -> None:
    """An exception came before they could tell of the batch."""
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will be without what the other "
            "ranks logged with the last batch: the exception came before they could tell. Place "
            "EarlyStopping before the callbacks that may fail, if it was one of them."
        )


def warn_of_skipped(names: list[str], why: str) -> None:
    """The last hook of a batch was not called, and cannot be called late."""
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will be without the batch after "
            "which the checkpoint was saved: it is logged in `on_train_batch_end`, which Lightning "
            f"does not call then, nor can EarlyStopping{': ' if why else ''}{why}. Log it in "
            "`training_step`."
        )


def warn_of_ranks(names: list[str], before: int, now: int) -> None:
    """Each rank's sums are its own."""
    rank_zero_warn(
        f"The checkpoint has what {', '.join(names)} summed up on {before} of the ranks, of "
        f"which there are {now} now: over this epoch it is that of the rest. Resume on as many "
        "ranks."
    )
