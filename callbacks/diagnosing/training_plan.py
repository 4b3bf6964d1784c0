"""What a Trainer is to do with a module: batches, steps, clipping, rates and weight decay."""

import math
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from ..monitoring.rates import rate_of
from ..stopping.resuming.accumulation import steps_of_epochs
from .clipping import clip_norm, clips_itself, step_by_gradients
from .vital_signs.signs import NAN
from .vital_signs.vitals import Vitals

_AT_RANDOM = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


def read_plan(trainer: Trainer, pl_module: LightningModule, vitals: Vitals) -> None:
    """Record what is planned, before the first batch.

    Args:
        trainer: The Trainer, about to train.
        pl_module: The module that it trains.
        vitals: Vital signs, changed in place.
    """
    vitals.batches_per_epoch = float(trainer.num_training_batches)
    vitals.batch_size = _batch_size(trainer.train_dataloader)
    vitals.ranks = trainer.world_size
    vitals.validation_batch_size = _batch_size(trainer.val_dataloaders)
    vitals.shuffled = _is_shuffled(trainer.train_dataloader)
    vitals.planned_steps = _planned_steps(trainer, pl_module)
    vitals.clip_norm, vitals.clips_itself = clip_norm(trainer), clips_itself(pl_module)
    vitals.steps_by_gradients = step_by_gradients(trainer.optimizers)
    vitals.overfits_on_purpose = getattr(trainer, "overfit_batches", 0) > 0
    vitals.schedule_share = schedule_share(trainer, pl_module, vitals)
    vitals.waits_for_plateau = waits_for_plateau(trainer)
    groups = [group for o in trainer.optimizers for group in o.param_groups]
    vitals.weight_decay = max((float(g.get("weight_decay", 0.0)) for g in groups), default=0.0)


def _batch_size(loaders: Any) -> int:
    """Return the batch size of a loader, or of the first of a list; 0 if it has none."""
    loader = loaders[0] if isinstance(loaders, (list, tuple)) and loaders else loaders
    return getattr(loader, "batch_size", None) or 0


def _is_shuffled(loader: Any) -> bool:
    """Whether a loader samples at random, as the Trainer's distributed sampler may, too."""
    sampler = getattr(loader, "sampler", None)
    return isinstance(sampler, _AT_RANDOM) or bool(getattr(sampler, "shuffle", False))


def _planned_steps(trainer: Trainer, pl_module: LightningModule) -> float:
    """Return the number of planned optimiser steps; infinite if unknown.

    Under manual optimisation, each of several optimisers is taken to step once per batch.
    """
    limits = []
    each = 1 if pl_module.automatic_optimization else max(1, len(trainer.optimizers))
    if trainer.max_steps != -1:
        limits.append(float(trainer.max_steps))
    if trainer.max_epochs not in (None, -1):
        limits.append(each * steps_of_epochs(trainer, trainer.max_epochs or 0))
    return min(limits, default=math.inf)


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
