"""What a Trainer is to do with a module: batches, steps, clipping, schedules and weight decay."""

import math
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from ..stopping.resuming.accumulation import steps_of_epochs
from .clipping import clip_norm, clips_itself, step_by_gradients
from .rate_schedules import schedule_share, waits_for_plateau
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
