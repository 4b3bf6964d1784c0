"""Learning rates and their schedules."""

import math

from lightning.pytorch import LightningModule, Trainer
from torch.optim.lr_scheduler import OneCycleLR

from ..monitoring.rates import rate_of
from ..stopping.resuming.accumulation import steps_of_epochs
from .vital_signs.signs import NAN
from .vital_signs.vitals import Vitals


def schedule_share(trainer: Trainer, pl_module: LightningModule, vitals: Vitals) -> float:
    """Return the share of a one-cycle schedule that a run completes at one step per epoch.

    Such a schedule is planned in optimiser steps. Lightning advances it once per epoch, so that the
    rate hardly leaves its initial value, unless its ``"interval"`` is ``"step"``.

    Args:
        trainer: The Trainer, about to train.
        pl_module: The module that it trains.
        vitals: Vital signs with the planned length of the run.

    Returns:
        The smallest share; NaN if the Trainer advances no such schedule by epochs.
    """
    known = max(1, trainer.max_epochs or 1)
    epochs = vitals.planned_steps * known / steps_of_epochs(trainer, known)
    if not pl_module.automatic_optimization or not 0 < epochs < math.inf:
        return NAN
    shares = [
        epochs / config.frequency / config.scheduler.total_steps
        for config in trainer.lr_scheduler_configs
        if isinstance(config.scheduler, OneCycleLR) and config.interval == "epoch"
    ]
    return min(shares, default=NAN)


def waits_for_plateau(trainer: Trainer) -> bool:
    """Whether a schedule lowers the rate once a metric plateaus."""
    return any(config.reduce_on_plateau for config in trainer.lr_scheduler_configs)


def read_rates(trainer: Trainer, vitals: Vitals) -> None:
    """Record the current learning rate, the one that a schedule scales, and the highest so far.

    Args:
        trainer: The Trainer; the first parameter group counts.
        vitals: Vital signs, changed in place; NaN for what an optimiser does not have.
    """
    group = next((g for o in trainer.optimizers for g in o.param_groups), {})
    vitals.learning_rate, vitals.learning_rate_given = rate_of(group), rate_of(group, "initial_lr")
    if vitals.learning_rate > vitals.learning_rate_peak:
        vitals.rate_rose = vitals.step
    known = [rate for rate in (vitals.learning_rate, vitals.learning_rate_peak) if rate == rate]
    vitals.learning_rate_peak = max(known, default=NAN)
