"""Gradients that the Trainer clips: to what, whose steps feel it, and what to do."""

import math
from collections.abc import Iterable

from lightning.pytorch import LightningModule, Trainer
from torch.optim import ASGD, SGD, Optimizer

from ..remedy import Remedy


def clip_norm(trainer: Trainer) -> float:
    """The norm that all gradients are clipped to together; NaN where they are not."""
    by_norm = trainer.gradient_clip_algorithm != "value"
    return float(trainer.gradient_clip_val or math.nan) if by_norm else math.nan


def clips_itself(pl_module: LightningModule) -> bool:
    """Whether a module has the Trainer clip in a way of its own."""
    own = type(pl_module).configure_gradient_clipping
    by_hook = own is not LightningModule.configure_gradient_clipping
    return by_hook and pl_module.automatic_optimization


def clip_less(usual: float) -> Remedy:
    """Clip what is longer than the usual gradient alone.

    Args:
        usual: Its norm.
    """
    code = f"Trainer(gradient_clip_val={usual:.2g})"
    return Remedy("Clip at a norm that gradients seldom reach.", code)


def step_by_gradients(optimizers: Iterable[Optimizer]) -> bool:
    """Whether a shorter gradient makes a shorter step, as it does for SGD and not for Adam."""
    return all(isinstance(optimizer, (SGD, ASGD)) for optimizer in optimizers)
