"""What monitors of the optimisers' steps share: a clock that says which of them report."""

import re
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from .gradients.report_clock import ReportClock
from .layers import refuse_flattening
from .monitor import Monitor
from .recording.heat_map import Scale
from .recording.loggers import logger_step, report_interval


class StepMonitor(Monitor):
    """Keep a record by layer of the steps that report, of each optimiser.

    Args:
        every_n_steps: Steps between reports; None takes the Trainer's ``log_every_n_steps``.
        scales: Colours of the quantity that is recorded, by its name.
        **ways: What is measured and how, where a Trainer may have several of the class.
    """

    def __init__(self, every_n_steps: int | None, scales: Mapping[str, Scale], **ways: Any) -> None:
        super().__init__(scales, **ways, every_n_steps=every_n_steps)
        self._key_of_any_interval = self._generate_state_key(**ways)
        self.every_n_steps = every_n_steps
        (self._quantity,) = scales
        self._clock = ReportClock()

    @property
    def steps(self) -> list[int]:
        """Step of each report."""
        return list(self._reporter.records[self._quantity].steps)

    @property
    def history(self) -> dict[str, list[float]]:
        """Values by layer, one for each of ``steps``."""
        return self._reporter.records[self._quantity].history

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a strategy that leaves no layer whole."""
        if stage == "fit":
            refuse_flattening(type(self).__name__, trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the steps from here."""
        self._clock.start(logger_step(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the loggers the picture and the table; say if no step was seen at all."""
        if self._reporter.speaks and not self.failed:
            interval = report_interval(trainer, self.every_n_steps)
            name = type(self).__name__
            self._clock.say_if_all_was_missed(name, logger_step(trainer), interval)
        super().on_train_end(trainer, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Go on with the record of another interval, where a checkpoint has none of this one."""
        states = checkpoint.get("callbacks", {})
        taken = {callback.state_key for callback in trainer.callbacks}  # type: ignore[attr-defined]
        if self.state_key not in states:
            others = [key for key in states if key not in taken and self._differs_by_interval(key)]
            if len(others) == 1:
                states[self.state_key] = states[others[0]]
        super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def _differs_by_interval(self, key: str) -> bool:
        """Whether it is the key of a monitor that measures the same in other steps."""
        return re.sub(r"(, )?'every_n_steps': \w+", "", key) == self._key_of_any_interval
