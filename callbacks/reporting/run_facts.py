"""Facts about a run, and the figures that are reported alongside its losses."""

import math
from importlib.metadata import version

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.nn.parameter import is_lazy

from ..diagnosing.vital_signs.vitals import Vitals
from ..monitoring.rates import rate_of
from ..monitoring.recording import loggers


def run_facts(trainer: Trainer, pl_module: LightningModule) -> dict[str, str | float]:
    """Collect facts about a run: its model, optimisers, plan and environment.

    Args:
        trainer: The Trainer, about to train.
        pl_module: The module that it trains.

    Returns:
        Texts and numbers, by name.
    """
    parameters = [p for p in pl_module.parameters() if not is_lazy(p)]
    facts: dict[str, str | float] = {
        "model": type(pl_module).__name__,
        "parameters": float(sum(p.numel() for p in parameters)),
        "trained parameters": float(sum(p.numel() for p in parameters if p.requires_grad)),
        "optimiser": ", ".join(type(o).__name__ for o in trainer.optimizers),
        "learning rate at first": ", ".join(
            f"{rate_of(group):.4g}" for o in trainer.optimizers for group in o.param_groups[:1]
        ),
        "batches per epoch": float(trainer.num_training_batches),
        "precision": str(trainer.precision),
        "devices": f"{trainer.world_size} ({pl_module.device.type})",
        "torch": str(torch.__version__),
        "lightning": version("lightning"),
        "torchvitals": version("torchvitals"),
    }
    if trainer.accumulate_grad_batches > 1:
        facts["batches per step"] = float(trainer.accumulate_grad_batches)
    folder = loggers.run_folder(trainer)
    if folder is not None:
        facts["folder"] = str(folder)
    return facts


def figures_of(vitals: Vitals) -> dict[str, float]:
    """Return the figures that are reported alongside the losses, by name."""
    recent = vitals.accuracies[-5:]
    figures = {
        "learning rate": vitals.learning_rate,
        "accuracy": sum(recent) / len(recent) if recent else math.nan,
        "constant loss": vitals.objective.constant_loss,
    }
    return {name: value for name, value in figures.items() if not math.isnan(value)}
