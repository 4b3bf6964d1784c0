"""Base class of monitors of optimiser steps, with a clock that decides which steps report."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from .gradients.report_clock import ReportClock
from .layers import refuse_flattening
from .monitor import Monitor
from .recording.heat_map import Scale
from .recording.loggers import logger_step, report_interval


class StepMonitor(Monitor):
    """Record the reporting steps of each optimiser, by layer.

    Args:
        every_n_steps: Steps between reports; None uses the Trainer's ``log_every_n_steps``.
        scales: Colour scale of the recorded quantity, by its name.
        **ways: Settings that tell apart several monitors of the class in one Trainer.
    """

    def __init__(self, every_n_steps: int | None, scales: Mapping[str, Scale], **ways: Any) -> None:
        super().__init__(scales, **ways)
        self._key_of_any_interval = self._state_key
        self._state_key = f"{self._key_of_any_interval} every {every_n_steps}"
        self.every_n_steps = every_n_steps
        self._clock = ReportClock()

    @property
    def history(self) -> dict[str, list[float]]:
        """Values by layer, one for each of ``steps``."""
        return self._reporter.first.history

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a strategy that flattens the parameters of several layers into one."""
        if stage == "fit":
            refuse_flattening(type(self).__name__, trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting steps."""
        self._clock.start(logger_step(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the heat map and the table; warn if no step was seen at all."""
        if self._reporter.speaks and not self.failed:
            interval = report_interval(trainer, self.every_n_steps)
            name = type(self).__name__
            self._clock.say_if_all_was_missed(name, logger_step(trainer), interval)
        super().on_train_end(trainer, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Continue the record of another interval, if a checkpoint has none of this one."""
        states = checkpoint.get("callbacks", {})
        taken = {callback.state_key for callback in trainer.callbacks}  # type: ignore[attr-defined]
        if self.state_key not in states:
            alike = [k for k in states if k.rpartition(" every ")[0] == self._key_of_any_interval]
            others = [key for key in alike if key not in taken]
            if len(others) == 1:
                states[self.state_key] = states[others[0]]
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
