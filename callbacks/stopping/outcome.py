"""How early stopping ended, for W&B's summary."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn

from ..monitoring.loggers import summarize


def summarize_outcome(trainer: Trainer, monitor: str, outcome: dict[str, Any]) -> None:
    """Put the outcome into the summary of W&B's runs; a W&B that fails is no reason to crash.

    Args:
        trainer: The Trainer.
        monitor: The watched metric.
        outcome: Values by name.
    """
    if not trainer.is_global_zero or trainer.barebones:
        return
    try:
        summarize(trainer, {f"early_stopping/{monitor}/{name}": v for name, v in outcome.items()})
    except Exception as error:
        rank_zero_warn(f"EarlyStopping could not write the summary of W&B: {error}")
