"""What there is to know of the schedules of a training before it begins."""

import math

from lightning.pytorch import LightningModule, Trainer
from torch.optim.lr_scheduler import OneCycleLR

from .signs import NAN
from .vitals import Vitals


def schedule_share(trainer: Trainer, pl_module: LightningModule, vitals: Vitals) -> float:
    """Share of the steps of its one-cycle schedule that a training makes, one in each epoch.

    Such a schedule is planned in steps, and Lightning makes one step of it in each epoch unless it
    is told ``"interval": "step"``: then the rate hardly leaves where it starts.

    Args:
        trainer: About to train.
        pl_module: What it trains.
        vitals: How long it is to train.

    Returns:
        The smallest share; NaN where no such schedule is stepped by the Trainer, by epochs.
    """
    epochs = vitals.planned_steps * trainer.accumulate_grad_batches / vitals.batches_per_epoch
    if not pl_module.automatic_optimization or not 0 < epochs < math.inf:
        return NAN
    shares = [
        epochs / config.frequency / config.scheduler.total_steps
        for config in trainer.lr_scheduler_configs
        if isinstance(config.scheduler, OneCycleLR) and config.interval == "epoch"
    ]
    return min(shares, default=NAN)


def waits_for_plateau(trainer: Trainer) -> bool:
    """Whether a schedule takes the rate down once a metric stands still."""
    return any(config.reduce_on_plateau for config in trainer.lr_scheduler_configs)
