"""Base class of all monitors: a record that is started and finished once per fit."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from .evaluated_checkpoint import keep_record_of_fit
from .guard import attempt
from .recording.heat_map import Scale
from .recording.reporter import Reporter


class Monitor(Callback):
    """Record a fit, pass the record on, and clean up however the fit ends.

    Args:
        scales: Colour scale of each recorded quantity, by name; the first quantity is drawn.
        **ways: Settings that tell apart several monitors of the class in one Trainer.

    Attributes:
        failed: Whether the monitor switched itself off.
    """

    def __init__(self, scales: Mapping[str, Scale], **ways: Any) -> None:
        self.failed = self._is_running = self._continues = False
        self._reporter = Reporter(type(self).__name__, scales)
        # The Trainer asks for the key at each of its hooks.
        self._state_key = self._generate_state_key(**ways)

    @property
    def state_key(self) -> str:
        """Key that includes the settings, so that a Trainer can have several monitors."""
        return self._state_key

    @property
    def findings(self) -> dict[str, str]:
        """Text of each finding, by key."""
        return dict(self._reporter.findings)

    @property
    def steps(self) -> list[int]:
        """Step of each report."""
        return list(self._reporter.first.steps)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh, unless a checkpoint was just loaded or the last fit continues."""
        self.failed, self._is_running = False, True
        attempt(self, self._begin, trainer, pl_module)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._continues = self._reporter.start(trainer)
        if not self._continues:
            self._clear()
        self._start(pl_module)

    def _clear(self) -> None:
        raise NotImplementedError

    def _start(self, pl_module: LightningModule) -> None:
        raise NotImplementedError

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Clean up, and log the heat map and the table."""
        self._end_fit(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Clean up, and finish the record of an interrupted fit."""
        self._end_fit(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Clean up after a fit without any steps."""
        if stage == "fit":
            self._end_fit(trainer)

    def _end_fit(self, trainer: Trainer) -> None:
        self._release()
        if self._is_running:
            self._is_running = False
            attempt(self, self._reporter.finish, trainer)

    def _release(self) -> None:
        raise NotImplementedError

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore nothing for testing or validation: the record is that of the fit."""
        keep_record_of_fit(self, trainer, checkpoint)
