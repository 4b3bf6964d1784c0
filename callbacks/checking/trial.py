"""A training run that is like the real one except for its end, and leaves nothing behind."""

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.loggers.logger import DummyLogger

from ..monitoring.monitor import Monitor
from ..training_doctor import TrainingDoctor

# Callbacks that end the training, write or draw, or that the checkup brings itself.
_LEFT_OUT = (
    lightning_callbacks.Checkpoint, lightning_callbacks.EarlyStopping, lightning_callbacks.Timer,
    lightning_callbacks.ProgressBar, lightning_callbacks.ModelSummary,
    lightning_callbacks.LearningRateMonitor, lightning_callbacks.DeviceStatsMonitor,
    lightning_callbacks.ThroughputMonitor, TrainingDoctor, Monitor,
)  # fmt: skip
# If both packages are imported, one logs under the other's name.
_LIGHTNING = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")
_DROPPED = ("min_epochs", "min_steps", "max_time", "fast_dev_run", "profiler", "barebones")


class StopAfter(Callback):
    """End a training after some steps, with a validation, as early stopping does.

    The plan, and with it the learning rate schedule, remains that of the whole training.

    Args:
        steps: Optimiser steps; batches under manual optimisation.
        real: The original module, whose parameters must not be trained.

    Attributes:
        done: Steps so far.
    """

    def __init__(self, steps: int, real: LightningModule) -> None:
        self.steps, self.done, self._start = steps, 0, 0
        self._real = {id(parameter) for parameter in real.parameters()}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the first step; raise if an optimiser has parameters of the original module."""
        self._start = trainer.global_step
        groups = (group for o in trainer.optimizers for group in o.param_groups)
        if any(id(parameter) in self._real for group in groups for parameter in group["params"]):
            raise TypeError(
                "Expected `configure_optimizers` of the copied module to use the copy's "
                "parameters, but it used those of the original. Use `self.parameters()` in it."
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop after the last step."""
        by_itself = not pl_module.automatic_optimization
        self.done = self.done + 1 if by_itself else trainer.global_step - self._start
        if self.done >= self.steps:
            trainer.should_stop = True


def belonging(callbacks: Iterable[Callback]) -> list[Callback]:
    """Select the callbacks that may influence how the module is trained."""
    return [callback for callback in callbacks if not isinstance(callback, _LEFT_OUT)]


def trial_trainer(
    steps: int, callbacks: Sequence[Callback], folder: str, arguments: dict[str, Any]
) -> Trainer:
    """Create a Trainer like the real one, on one device, that writes only to a given folder.

    Args:
        steps: Optimiser steps; without ``max_epochs`` or ``max_steps`` they are the whole plan.
        callbacks: Its callbacks.
        folder: Folder for files that a module or callback writes.
        arguments: Arguments of the real Trainer.
    """
    taken = {name: value for name, value in arguments.items() if name not in _DROPPED}
    if taken.get("max_epochs") is None and taken.get("max_steps", -1) == -1:
        taken["max_steps"] = steps
    if taken.get("limit_val_batches") is None:
        taken["limit_val_batches"] = steps
    devices = taken.get("devices")
    own: dict[str, Any] = {
        "devices": devices[:1] if isinstance(devices, list) else 1,
        "num_nodes": 1,
        "strategy": "auto",
        "logger": DummyLogger(),
        "callbacks": callbacks,
        "default_root_dir": folder,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(**{"enable_progress_bar": False, **taken, **own})


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's messages on devices, on the end of training and on logging intervals.

    The logger keeps nothing, so its interval does not matter.
    """
    loggers = [logging.getLogger(name) for name in _LIGHTNING]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(max(logging.WARNING, logger.level))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*is smaller than the logging interval")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
