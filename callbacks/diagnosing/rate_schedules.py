"""Learning rates, and what schedules make of them."""

import math

from lightning.pytorch import LightningModule, Trainer
from torch.optim.lr_scheduler import OneCycleLR

from ..monitoring.rates import rate_of
from .vital_signs.signs import NAN
from .vital_signs.vitals import Vitals


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


def read_rates(trainer: Trainer, vitals: Vitals) -> None:
    """Take down the learning rate of now, what a schedule multiplies, and the highest so far.

    Args:
        trainer: The Trainer; the first group of parameters counts.
        vitals: They are changed in place; NaN for what an optimiser has not.
    """
    group = next((g for o in trainer.optimizers for g in o.param_groups), {})
    vitals.learning_rate, vitals.learning_rate_given = rate_of(group), rate_of(group, "initial_lr")
    if vitals.learning_rate > vitals.learning_rate_peak:
        vitals.rate_rose = vitals.step
    known = [rate for rate in (vitals.learning_rate, vitals.learning_rate_peak) if rate == rate]
    vitals.learning_rate_peak = max(known, default=NAN)
