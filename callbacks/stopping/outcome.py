"""Outcome of early stopping, for W&B's summary."""

from typing import Protocol

from lightning.pytorch import Trainer
from torch import Tensor

from ..monitoring.guard import SideWork
from ..monitoring.recording.loggers import summarize
from .judging.reason import StoppingReason


class Outcome(Protocol):
    """Attributes of :class:`EarlyStopping` that make up the outcome."""

    monitor: str
    stopping_reason: StoppingReason
    stopping_reason_message: str | None
    best_epoch: int
    best_score: Tensor


def summarize_outcome(trainer: Trainer, outcome: Outcome) -> None:
    """Write the outcome to the summary of W&B runs; a failure of W&B does not end training."""
    if not trainer.is_global_zero or trainer.barebones or _is_told_by_another(trainer, outcome):
        return
    values = {
        "reason": outcome.stopping_reason.value,
        "message": outcome.stopping_reason_message or "not stopped",
        "best_epoch": outcome.best_epoch,
        "best_score": float(outcome.best_score),
    }
    prefix = f"early_stopping/{outcome.monitor}"
    summary = {f"{prefix}/{name}": value for name, value in values.items()}
    SideWork("EarlyStopping").attempt_with_each(trainer.loggers, summarize, summary)


def _is_told_by_another(trainer: Trainer, outcome: Outcome) -> bool:
    """Whether another callback with the same monitor stopped training, and this one did not."""
    if outcome.stopping_reason is not StoppingReason.NOT_STOPPED:
        return False
    same = [c for c in trainer.early_stopping_callbacks if c.monitor == outcome.monitor]
    # Lightning's own callback, whose reasons are another enum, writes no summary.
    ours = (c.stopping_reason for c in same if isinstance(c.stopping_reason, StoppingReason))
    return any(reason != StoppingReason.NOT_STOPPED for reason in ours)
