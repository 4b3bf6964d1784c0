"""Gradient clipping by the Trainer: its norm, which steps it shortens, and what to change."""

import math
from collections.abc import Iterable

from lightning.pytorch import LightningModule, Trainer
from torch.optim import ASGD, SGD, Optimizer

from ..remedy import Remedy


def clip_norm(trainer: Trainer) -> float:
    """Return the norm to which all gradients are clipped together; NaN if they are not."""
    by_norm = trainer.gradient_clip_algorithm != "value"
    return float(trainer.gradient_clip_val or math.nan) if by_norm else math.nan


def clips_itself(pl_module: LightningModule) -> bool:
    """Whether a module overrides how the Trainer clips gradients."""
    own = type(pl_module).configure_gradient_clipping
    by_hook = own is not LightningModule.configure_gradient_clipping
    return by_hook and pl_module.automatic_optimization


def clip_less(usual: float) -> Remedy:
    """Return the remedy of clipping only gradients that are longer than usual.

    Args:
        usual: Norm of the usual gradient.
    """
    code = f"Trainer(gradient_clip_val={usual:.2g})"
    return Remedy("Clip at a norm that gradients seldom reach.", code)


def step_by_gradients(optimizers: Iterable[Optimizer]) -> bool:
    """Whether a shorter gradient makes a shorter step, as with SGD but not with Adam."""
    return all(isinstance(optimizer, (SGD, ASGD)) for optimizer in optimizers)
