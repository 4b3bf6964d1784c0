"""The monitors that a doctor brings along, as a group."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer

from ..activation_monitor import ActivationMonitor
from ..dead_relu_monitor import DeadReLUMonitor
from ..gradient_norm_monitor import GradientNormMonitor
from ..monitoring.recording.reporter import Reporter
from ..update_ratio_monitor import UpdateRatioMonitor


class BroughtMonitors(NamedTuple):
    """One monitor of each kind.

    Attributes:
        gradients: Norms of the gradients.
        dead_relus: Dead units.
        activations: Saturation, dormant units and drift.
        updates: Sizes of the optimiser steps.
    """

    gradients: GradientNormMonitor
    dead_relus: DeadReLUMonitor
    activations: ActivationMonitor
    updates: UpdateRatioMonitor

    @property
    def reporters(self) -> tuple[Reporter, ...]:
        """The reporter of each monitor."""
        return tuple(monitor._reporter for monitor in self)

    @property
    def failed(self) -> tuple[bool, ...]:
        """For each monitor, whether it switched itself off."""
        return tuple(monitor.failed for monitor in self)

    def switch_off(self, ranks: Iterable[tuple[bool, ...]]) -> None:
        """Switch off, on this rank, each monitor that failed on any rank."""
        for monitor, failed in zip(self, zip(*ranks, strict=True), strict=True):
            monitor.failed = any(failed)

    def end_batch(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End the batch for the monitors whose figures may change: in most batches, few of them.

        The monitors exchange data between ranks, so the conditions must be the same on each.
        """
        observes = self.dead_relus.observes(batch_idx)
        ends = self.dead_relus.may_close or self.activations.reports or trainer.is_last_batch
        if observes or ends:
            for monitor in self:
                monitor.on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
            return
        if self.activations.watches:
            self.activations.on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        # An optimiser may make the step that is to be reported in a later batch.
        self.updates.on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def set_pace(self, interval: int) -> None:
        """Set the steps between two reports, for the monitors that have no window to fill."""
        for monitor in (self.gradients, self.activations, self.updates):
            monitor.every_n_steps = interval

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the monitors."""
        return {name: monitor.state_dict() for name, monitor in self._asdict().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state with the next fit."""
        for name, monitor in self._asdict().items():
            monitor.load_state_dict(state_dict[name])
