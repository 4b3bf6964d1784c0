"""What all monitors share: a record that is begun with a fit and finished with it, once."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from .evaluated_checkpoint import keep_record_of_fit
from .guard import switch_off_on_error
from .recording.heat_map import Scale
from .recording.reporter import Reporter


class Monitor(Callback):
    """Keep a record of a fit, pass it on, and leave nothing behind, however the fit ends.

    Args:
        scales: Colours of the quantities that are recorded, by their names; the first is drawn.
        **ways: What is measured and how, where a Trainer may have several of the class.

    Attributes:
        failed: Whether the monitor switched itself off.
    """

    def __init__(self, scales: Mapping[str, Scale], **ways: Any) -> None:
        self.failed = self._is_running = False
        self._reporter = Reporter(type(self).__name__, scales)
        # The Trainer asks for the key at each of its hooks.
        self._state_key = self._generate_state_key(**ways)

    @property
    def state_key(self) -> str:
        """One for each way to measure, so that a Trainer can have several."""
        return self._state_key

    @property
    def findings(self) -> dict[str, str]:
        """What was found, by a key."""
        return dict(self._reporter.findings)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh, unless a checkpoint was just loaded or the last fit goes on."""
        self.failed, self._is_running = False, True
        self._start(trainer, pl_module)

    def _start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        raise NotImplementedError

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave nothing behind, and give the loggers the picture and the table."""
        self._end_fit(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave nothing behind, and lose nothing of an interrupted fit."""
        self._end_fit(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave nothing behind of a fit that had no step to make."""
        if stage == "fit":
            self._end_fit(trainer)

    def _end_fit(self, trainer: Trainer) -> None:
        self._release()
        if self._is_running:
            self._is_running = False
            self._finish(trainer)

    def _release(self) -> None:
        raise NotImplementedError

    @switch_off_on_error
    def _finish(self, trainer: Trainer) -> None:
        self._reporter.finish(trainer)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take nothing up for a test or a validation: what is known is of the fit."""
        keep_record_of_fit(self, trainer, checkpoint)
