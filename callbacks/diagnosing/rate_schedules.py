"""How much of a schedule a training is to make."""

import math

from lightning.pytorch import Trainer

from .signs import NAN
from .vitals import Vitals


def schedule_share(trainer: Trainer, vitals: Vitals) -> float:
    """Share of the steps of its one-cycle schedules that a training makes at most.

    Such a schedule is planned in steps, and Lightning makes one step of it in each epoch unless it
    is told ``"interval": "step"``: then the rate hardly leaves where it starts.

    Args:
        trainer: About to train.
        vitals: How long it is to train.

    Returns:
        The smallest share; NaN without such a schedule.
    """
    shares = [NAN]
    for config in trainer.lr_scheduler_configs:
        total = getattr(config.scheduler, "total_steps", None)
        steps = vitals.planned_steps
        if config.interval == "epoch":
            steps /= vitals.batches_per_epoch / trainer.accumulate_grad_batches
        if isinstance(total, int) and total > 0 and math.isfinite(steps):
            shares.append(steps / config.frequency / total)
    return min(shares[1:], default=NAN)
