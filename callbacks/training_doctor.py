"""Says whether a training is well, and if not, what is wrong and what to change."""

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.optim import Optimizer

from .activation_monitor import ActivationMonitor
from .dead_relu_monitor import DeadReLUMonitor
from .diagnosing.announcing import announce, conclude
from .diagnosing.causes import join_causes
from .diagnosing.examination import examine
from .diagnosing.history import History
from .diagnosing.observation import Observation
from .diagnosing.validation import ValidationCurve
from .diagnosing.vitals import Vitals
from .diagnosis import Diagnosis
from .gradient_norm_monitor import GradientNormMonitor
from .monitoring import loggers
from .monitoring.guard import switch_off_on_error
from .monitoring.record_file import Recorded
from .reporting.journal import Journal
from .reporting.run_facts import figures_of, run_facts
from .reporting.run_folder import DOCTOR_FILE
from .update_ratio_monitor import UpdateRatioMonitor

_FIRST_STEPS = 5
_REPORTS, _INTERVALS = 40, (5, 50)


class TrainingDoctor(Callback):
    """Watch any training and say what is wrong, where, since when, and what to change.

    It brings the monitors that it needs and uses those that the Trainer has. What stands out is
    only said once it has lasted, once for each problem, and withdrawn when it heals; what one
    problem explains of another is its evidence and not a second diagnosis. A healthy training
    hears nothing.

    The loss is read off the graph that is differentiated, so that batches and modules can be of
    any form: which loss it is, of which outputs and targets, and what the best constant
    prediction would reach. Where that cannot be seen (a loss of one's own, a compiled one) the
    curve of the loss itself is judged. Without validation nothing is said of over-fitting.

    Args:
        every_n_steps: Optimiser steps between two reports; None takes a fortieth of the
            training, from 5 to 50.
        validation_loss: Name of the logged validation loss; None takes the first that has
            ``val`` and ``loss`` in its name.
        validation_score: Name of a logged score, larger being better; None takes the first that
            has ``val`` and ``acc``, ``f1`` or ``auc`` in its name.

    Attributes:
        diagnoses: What stands now, the worst first.
        announced: All that was established at any time, in order.
        healthy: Whether there is none that is a warning or worse.
        failed: Whether the doctor switched itself off.

    Raises:
        ValueError: If ``every_n_steps`` is below 1.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> doctor = TrainingDoctor()
        >>> trainer = Trainer(callbacks=[doctor], logger=False)
        >>> doctor.diagnoses, doctor.healthy
        ([], True)
    """

    def __init__(
        self,
        every_n_steps: int | None = None,
        *,
        validation_loss: str | None = None,
        validation_score: str | None = None,
    ) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"Expected `every_n_steps` to be at least 1, but got {every_n_steps}.")
        self.every_n_steps = every_n_steps
        self.validation_loss = validation_loss
        self.validation_score = validation_score
        self.failed = False
        self.gradients = GradientNormMonitor(every_n_steps)
        self.dead_relus = DeadReLUMonitor()
        self.activations = ActivationMonitor(every_n_steps)
        self.updates = UpdateRatioMonitor(every_n_steps)
        self._journal = Journal()
        self._clear()

    def _clear(self) -> None:
        self._history = History()
        self._observation = Observation()
        self._validation = ValidationCurve(self.validation_loss, self.validation_score)
        self._interval = self.every_n_steps or _INTERVALS[1]
        self._fitting = self._looked = False

    @property
    def diagnoses(self) -> list[Diagnosis]:
        """What stands now, the worst first."""
        return list(self._history.diagnoses)

    @property
    def announced(self) -> list[Diagnosis]:
        """All that was established at any time, in order."""
        return list(self._history.announced)

    @property
    def healthy(self) -> bool:
        """Whether there is no diagnosis that is a warning or worse."""
        return all(diagnosis.severity == "info" for diagnosis in self._history.diagnoses)

    @property
    def _monitors(self) -> tuple[Callback, ...]:
        return (self.gradients, self.dead_relus, self.activations, self.updates)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what the monitors refuse."""
        for monitor in self._monitors:
            monitor.setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh."""
        self.failed = False
        self._clear()
        for monitor in (self.gradients, self.dead_relus, self.activations, self.updates):
            monitor._reporter.speaks = False
            monitor.on_fit_start(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out how long the training is to be."""
        self._begin(trainer, pl_module)
        self.dead_relus.on_train_start(trainer, pl_module)
        self.activations.on_train_start(trainer, pl_module)

    @switch_off_on_error
    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._fitting = True
        self._observation.begin(trainer, pl_module)
        planned = self._observation.vitals.planned_steps
        if self.every_n_steps is None:
            low, high = _INTERVALS
            self._interval = int(min(high, max(low, planned / _REPORTS)))
        # The first steps are those that a too high rate shows in.
        for monitor in (self.gradients, self.activations, self.updates):
            monitor.every_n_steps = 1
        long = self._observation.vitals.batches_per_epoch > 4 * self._interval
        self.dead_relus.every_n_steps = 4 * self._interval if long else None
        self._open_journal(trainer, pl_module)

    def _open_journal(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = loggers.run_folder(trainer) if trainer.is_global_zero else None
        path = None if folder is None else folder / "vitals" / DOCTOR_FILE
        known, resumed = len(self._observation.vitals.losses), trainer.global_step > 0
        self._journal.start(_axis_step(trainer), resumed=resumed, batches=known, path=path)
        planned = self._observation.vitals.planned_steps
        facts = run_facts(trainer, pl_module)
        self._journal.note({**facts, "planned steps": planned, "report every": self._interval})

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the monitors know."""
        self.dead_relus.on_train_epoch_start(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Look closer at the first batches, and at those of a report."""
        self.gradients.on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self.dead_relus.on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self.activations.on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self._open(trainer, pl_module)

    @switch_off_on_error
    def _open(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._looked = (
            self._is_due(trainer) or trainer.global_step % max(1, self._interval // 5) == 0
        )
        if trainer.global_step < _FIRST_STEPS or self._is_due(trainer):
            self._observation.attach(pl_module)

    def _is_due(self, trainer: Trainer) -> bool:
        return (trainer.global_step + 1) % self._interval == 0

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Read the loss, while its graph is there."""
        self.dead_relus.on_before_backward(trainer, pl_module, loss)
        self.activations.on_before_backward(trainer, pl_module, loss)
        self._read(trainer, loss)

    @switch_off_on_error
    def _read(self, trainer: Trainer, loss: Tensor) -> None:
        self._observation.detach()
        if self._looked or trainer.global_step < _FIRST_STEPS:
            self._observation.look(loss)

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the monitors know."""
        self.dead_relus.on_after_backward(trainer, pl_module)
        self.activations.on_after_backward(trainer, pl_module)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Look at the gradients; before the first step, at everything."""
        self.gradients.on_before_optimizer_step(trainer, pl_module, optimizer)
        self.updates.on_before_optimizer_step(trainer, pl_module, optimizer)
        self._observation.step(optimizer)
        if trainer.global_step < _FIRST_STEPS or self._is_due(trainer):
            self._inspect(trainer, pl_module, optimizer)

    @switch_off_on_error
    def _inspect(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        self._observation.inspect(pl_module, optimizer)
        if trainer.global_step == 0:
            self._report(trainer)

    def on_before_zero_grad(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Let the monitors know."""
        self.dead_relus.on_before_zero_grad(trainer, pl_module, optimizer)
        self.activations.on_before_zero_grad(trainer, pl_module, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take the batch's loss, and report where it is time."""
        for monitor in self._monitors:
            monitor.on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._close(trainer, outputs)

    @switch_off_on_error
    def _close(self, trainer: Trainer, outputs: Any) -> None:
        self._observation.add(outputs)
        if trainer.global_step == _FIRST_STEPS:
            for monitor in (self.gradients, self.activations, self.updates):
                monitor.every_n_steps = self._interval
            self.updates._before.forget()
        if trainer.global_step % self._interval == 0 and trainer.global_step > 0:
            self._report(trainer)

    def _report(self, trainer: Trainer) -> None:
        vitals = self._observation.settle(trainer)
        self._fill(vitals)
        symptoms = join_causes(examine(vitals))
        new, gone = self._history.report(symptoms, trainer.global_step, trainer.current_epoch)
        self._keep(trainer, vitals)
        announce(trainer, new, gone)

    def _keep(self, trainer: Trainer, vitals: Vitals) -> None:
        """Write down what the page will show of this report."""
        step, epoch = _axis_step(trainer), trainer.current_epoch
        self._journal.report(step, epoch, vitals.losses, figures_of(vitals))
        self._journal.diagnose(step, self.diagnoses)

    def _fill(self, vitals: Any) -> None:
        """What the monitors have recorded."""
        gradients, updates, activations = self.gradients, self.updates, self.activations
        vitals.gradients = gradients._reporter.records["grad_norm"]
        vitals.gradient_profile = gradients.profile if gradients.steps else {}
        if len(gradients.steps) == 1:
            self._observation.vitals.first_gradient_profile = list(gradients.profile.values())
        vitals.updates = updates._reporter.records["update_ratio"]
        totals = updates._reporter.summary.history.get("update_ratio/total", [])
        vitals.total_updates = list(totals)
        vitals.unmoved = updates.unmoved
        vitals.dead = self.dead_relus._reporter.records["dead_relu"]
        records = activations._reporter.records
        vitals.saturated, vitals.dormant = records["saturated"], records["dormant"]
        vitals.drift, vitals.variances = records["drift"], records["activation_variance"]
        vitals.last_activation_is_output = not activations._observation.ends_in_layer
        vitals.validation_losses = self._validation.losses
        vitals.validation_scores = self._validation.scores
        vitals.validation_epochs = self._validation.epochs
        vitals.training_epoch_losses = self._validation.training_losses
        vitals.not_finite_layer = _not_finite(vitals.variances.last) or _not_finite(
            vitals.gradients.last, reverse=True
        )

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave no hook on the model outside training."""
        self.dead_relus.on_validation_start(trainer, pl_module)
        self.activations.on_validation_start(trainer, pl_module)
        self._observation.detach()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the validation's loss and score."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._validate(trainer)

    @switch_off_on_error
    def _validate(self, trainer: Trainer) -> None:
        self._observation.settle(trainer)
        self._validation.add(trainer, self._observation.vitals.losses)
        self._report(trainer)
        checked = {
            "validation loss": self._validation.losses[-1:],
            "validation score": self._validation.scores[-1:],
        }
        figures = {name: values[0] for name, values in checked.items() if values}
        self._journal.validate(_axis_step(trainer), trainer.current_epoch, figures)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the monitors know."""
        self.dead_relus.on_train_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how it was."""
        self._release(trainer, pl_module)
        for monitor in self._monitors:
            monitor.on_train_end(trainer, pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Lose nothing of an interrupted fit."""
        if isinstance(exception, IndexError) and str(exception).startswith("Target "):
            self._observation.vitals.label_error = str(exception)
        self._release(trainer, pl_module, exception)
        for monitor in self._monitors:
            monitor.on_exception(trainer, pl_module, exception)

    def _release(
        self, trainer: Trainer, pl_module: LightningModule, error: BaseException | None = None
    ) -> None:
        self._observation.detach()
        if self._fitting:
            self._fitting = False
            self._finish(trainer)
            self._journal.end(_axis_step(trainer), error, failed=self.failed)

    @switch_off_on_error
    def _finish(self, trainer: Trainer) -> None:
        self._report(trainer)
        conclude(trainer, self.diagnoses)

    def report(self, path: str | Path) -> Path:
        """Write the page: verdict, findings with their remedies, curves, and heat maps.

        One HTML file that opens offline, at any time during or after `fit`. The command
        ``torchvitals report RUN_DIR`` makes the same page of what a run left in its folder.

        Args:
            path: The file to write; its folder is made.

        Returns:
            The file.
        """
        from .reporting.case import read_case
        from .reporting.note_taking import take_notes
        from .reporting.page import write_page

        reporters = [monitor._reporter for monitor in self._monitors]  # type: ignore[attr-defined]
        recorded = [Recorded(r.monitor, r.records, r.summary, r.findings) for r in reporters]
        return write_page(take_notes(read_case(self._journal.entries), recorded), path)


def _axis_step(trainer: Trainer) -> int:
    """Steps done, on the loggers' axis, which counts those of several optimisers once."""
    return min(trainer.global_step, loggers.logger_step(trainer) + 1)


def _not_finite(values: dict[str, float], *, reverse: bool = False) -> str | None:
    names = [name for name, value in values.items() if not math.isfinite(value)]
    return (names[-1] if reverse else names[0]) if names else None
