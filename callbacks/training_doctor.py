"""Says whether a training is well, and if not, what is wrong and what to change."""

import math
from pathlib import Path
from typing import Any, TypeVar

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
from .diagnosing.rank_news import RankNews, gather
from .diagnosing.validation import ValidationCurve
from .diagnosing.vitals import Vitals
from .diagnosis import Diagnosis
from .gradient_norm_monitor import GradientNormMonitor
from .monitoring import loggers
from .monitoring.guard import switch_off, switch_off_on_error
from .monitoring.layers import refuse_flattening
from .monitoring.record import Record
from .monitoring.record_file import Recorded
from .monitoring.reporter import Reporter
from .reporting.journal import Journal
from .reporting.run_facts import figures_of, run_facts
from .reporting.run_folder import DOCTOR_FILE
from .update_ratio_monitor import UpdateRatioMonitor

_FIRST_STEPS = 5
_REPORTS, _INTERVALS = 40, (5, 50)
T = TypeVar("T")


class TrainingDoctor(Callback):
    """Watch any training and say what is wrong, where, since when, and what to change.

    It brings the monitors that it needs, at intervals of its own. Those that the Trainer has go
    on beside them as they are; of two of a kind only the Trainer's own writes and logs. What
    stands out is only said once it has lasted, once for each problem, and withdrawn when it
    heals; what one problem explains of another is its evidence and not a second diagnosis. A
    healthy training hears nothing.

    The loss is read off the graph that is differentiated, so that batches and modules can be of
    any form: which loss it is, of which outputs and targets, and what the best constant
    prediction would reach. Where that cannot be seen (a loss of one's own, a compiled one) the
    curve of the loss itself is judged. Without validation nothing is said of over-fitting.

    With several ranks the diagnoses are those of all of them together, the same on every rank;
    rank 0 says and writes them. A fit that goes on from a checkpoint goes on with its record.

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
        TypeError: When training starts with a strategy that flattens parameters (FSDP1).

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
        self._resumed = self._going_on = False
        self._clear()

    def _clear(self) -> None:
        self._history = History()
        self._observation = Observation()
        self._validation = ValidationCurve(self.validation_loss, self.validation_score)
        self._journal = Journal()
        self._interval = self.every_n_steps or _INTERVALS[1]
        self._reported = 0
        self._looked_first = self._fitting = self._looked = False

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

    @property
    def _reporters(self) -> tuple[Reporter, ...]:
        return tuple(monitor._reporter for monitor in self._monitors)  # type: ignore[attr-defined]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what the monitors refuse."""
        if stage == "fit":
            refuse_flattening(type(self).__name__, trainer, pl_module)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh, unless a checkpoint was just loaded."""
        self.failed = self._left = False
        self._going_on, self._resumed = self._resumed, False
        if not self._going_on:
            self._clear()
        for reporter in self._reporters:
            reporter.speaks = False
        for monitor in self._monitors:
            monitor.on_fit_start(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out how long the training is to be."""
        self._fitting = True
        self._begin(trainer, pl_module)
        # The ranks must meet at the same steps, whatever each of them has planned.
        vitals = self._observation.vitals
        plans = self._meet(trainer, (vitals.planned_steps, vitals.batches_per_epoch))
        self._plan(trainer, plans or [(math.inf, math.inf)])
        self._open_journal(trainer, pl_module)
        self.dead_relus.on_train_start(trainer, pl_module)
        self.activations.on_train_start(trainer, pl_module)

    @switch_off_on_error
    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._observation.begin(trainer, pl_module)

    def _plan(self, trainer: Trainer, plans: list[tuple[float, float]]) -> None:
        vitals = self._observation.vitals
        vitals.planned_steps, vitals.batches_per_epoch = map(min, zip(*plans, strict=True))
        if not (self._going_on and trainer.global_step > 0):
            low, high = _INTERVALS
            own = int(min(high, max(low, vitals.planned_steps / _REPORTS)))
            self._interval, self._reported = self.every_n_steps or own, trainer.global_step
        self._pace_monitors(trainer)
        long = vitals.batches_per_epoch > 4 * self._interval
        self.dead_relus.every_n_steps = 4 * self._interval if long else None

    def _pace_monitors(self, trainer: Trainer) -> None:
        # The first steps are those that a too high rate shows in.
        interval = 1 if trainer.global_step < _FIRST_STEPS else self._interval
        for monitor in (self.gradients, self.activations, self.updates):
            monitor.every_n_steps = interval

    @switch_off_on_error
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
        due = self._is_due(trainer)
        self._looked = due or trainer.global_step % max(1, self._interval // 5) == 0
        if trainer.global_step < _FIRST_STEPS or due:
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
        self._inspect(trainer, pl_module, optimizer)
        if trainer.global_step == 0 and not self._looked_first:
            self._looked_first = True
            self._report(trainer)

    @switch_off_on_error
    def _inspect(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        self._observation.step(trainer, optimizer)
        if trainer.global_step < _FIRST_STEPS or self._is_due(trainer):
            self._observation.inspect(pl_module, optimizer)

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
        self._add(outputs)
        if trainer.global_step >= _FIRST_STEPS and self.gradients.every_n_steps != self._interval:
            self._pace_monitors(trainer)
            self.updates._before.forget()
        # Several optimisers pass over steps; accumulation stays at one.
        if trainer.global_step // self._interval > self._reported // self._interval:
            self._reported = trainer.global_step
            self._report(trainer)

    @switch_off_on_error
    def _add(self, outputs: Any) -> None:
        self._observation.add(outputs)

    def _report(self, trainer: Trainer, *, checked: bool = False) -> None:
        """Examine what all ranks have seen; to be called on all of them at once.

        Args:
            trainer: The Trainer.
            checked: Whether a validation has just ended.
        """
        ranks = self._meet_with_news(trainer, checked=checked)
        if ranks is not None:
            self._judge(trainer, ranks, checked=checked)

    def _meet_with_news(
        self, trainer: Trainer, *, checked: bool = False, saves: bool = False
    ) -> list[RankNews] | None:
        self._news: RankNews | None = None
        self._collect(trainer, checked=checked, saves=saves)
        return self._meet(trainer, self._news)

    @switch_off_on_error
    def _collect(self, trainer: Trainer, *, checked: bool, saves: bool) -> None:
        failed = tuple(monitor.failed for monitor in self._monitors)  # type: ignore[attr-defined]
        check = self._validation.read(trainer) if checked else (None, None)
        seen = self._observation.news(look_back=not saves)
        self._news = RankNews(seen, check, failed)

    def _meet(self, trainer: Trainer, own: T | None) -> list[T] | None:
        """What all ranks have; a rank whose doctor failed takes part once more to say so."""
        if self._left or (self.failed and trainer.world_size == 1):
            return None
        ranks = None
        try:
            ranks = gather(trainer, None if self.failed else own)
        except Exception as error:
            switch_off(self, error)
        if ranks is None:
            switch_off(self, RuntimeError("the doctor of another rank did"))
            self._left = True
        return ranks

    def _take(self, ranks: list[RankNews]) -> None:
        self._observation.take([rank.seen for rank in ranks])
        for place, monitor in enumerate(self._monitors):
            monitor.failed = any(rank.failed[place] for rank in ranks)  # type: ignore[attr-defined]

    @switch_off_on_error
    def _judge(self, trainer: Trainer, ranks: list[RankNews], *, checked: bool) -> None:
        self._take(ranks)
        vitals = self._observation.settle(trainer)
        if checked:
            self._validation.add(
                [rank.check for rank in ranks], vitals.losses, trainer.current_epoch
            )
        self._fill(vitals)
        symptoms = join_causes(examine(vitals))
        new, gone = self._history.report(symptoms, trainer.global_step, trainer.current_epoch)
        self._keep(trainer, vitals, checked=checked)
        announce(trainer, new, gone)

    def _keep(self, trainer: Trainer, vitals: Vitals, *, checked: bool) -> None:
        """Write down what the page will show of this report."""
        step, epoch = _axis_step(trainer), trainer.current_epoch
        self._journal.report(step, epoch, vitals.losses, figures_of(vitals))
        self._journal.diagnose(step, self.diagnoses)
        if checked:
            last = {
                "validation loss": self._validation.losses[-1:],
                "validation score": self._validation.scores[-1:],
            }
            figures = {name: values[0] for name, values in last.items() if values}
            self._journal.validate(step, epoch, figures)

    def _fill(self, vitals: Vitals) -> None:
        """What the monitors have recorded; what one that failed had recorded is of the past."""
        gradients, updates, activations = self.gradients, self.updates, self.activations
        vitals.gradients = _record(gradients, "grad_norm")
        known = gradients.steps and not gradients.failed
        vitals.gradient_profile = gradients.profile if known else {}
        if len(gradients.steps) == 1:
            self._observation.vitals.first_gradient_profile = list(gradients.profile.values())
        vitals.updates = _record(updates, "update_ratio")
        totals = [] if updates.failed else updates._reporter.summary.of("update_ratio/total")
        vitals.total_updates = totals
        vitals.unmoved = [] if updates.failed else updates.unmoved
        vitals.dead = _record(self.dead_relus, "dead_relu")
        vitals.saturated, vitals.dormant = (
            _record(activations, quantity) for quantity in ("saturated", "dormant")
        )
        vitals.drift, vitals.variances = (
            _record(activations, quantity) for quantity in ("drift", "activation_variance")
        )
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
            self._report(trainer, checked=True)

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
            # What has stopped one rank may not have stopped the others: nobody waits for them.
            if error is None or trainer.world_size == 1:
                self._report(trainer)
            self._finish(trainer)
            self._journal.end(_axis_step(trainer), error, failed=self.failed)

    @switch_off_on_error
    def _finish(self, trainer: Trainer) -> None:
        conclude(trainer, self.diagnoses)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save what all ranks have seen up to now."""
        if self._fitting:
            ranks = self._meet_with_news(trainer, saves=True)
            if ranks is not None:
                self._take_up(trainer, ranks)
        # The monitor's window is joined over the ranks, too.
        window: dict[str, Any] = {"callbacks": {self.dead_relus.state_key: {}}}
        self.dead_relus.on_save_checkpoint(trainer, pl_module, window)
        state = self.state_dict()
        state["monitors"]["dead_relus"] |= window["callbacks"][self.dead_relus.state_key]
        checkpoint["callbacks"][self.state_key] = state

    @switch_off_on_error
    def _take_up(self, trainer: Trainer, ranks: list[RankNews]) -> None:
        self._take(ranks)
        step, epoch = _axis_step(trainer), trainer.current_epoch
        self._journal.report(step, epoch, self._observation.vitals.losses, {})

    def state_dict(self) -> dict[str, Any]:
        """All that was seen up to the last report or checkpoint, and what was made of it."""
        return {
            "history": self._history.state_dict(),
            "observation": self._observation.state_dict(),
            "validation": self._validation.state_dict(),
            "journal": self._journal.state_dict(),
            "interval": self._interval,
            "reported": self._reported,
            "looked_first": self._looked_first,
            "monitors": {
                "gradients": self.gradients.state_dict(),
                "dead_relus": self.dead_relus.state_dict(),
                "activations": self.activations.state_dict(),
                "updates": self.updates.state_dict(),
            },
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there with the next fit."""
        self._clear()
        self._history.load_state_dict(state_dict["history"])
        self._observation.load_state_dict(state_dict["observation"])
        self._validation.load_state_dict(state_dict["validation"])
        self._journal.load_state_dict(state_dict["journal"])
        self._interval, self._reported = state_dict["interval"], state_dict["reported"]
        self._looked_first = state_dict["looked_first"]
        monitors = state_dict["monitors"]
        self.gradients.load_state_dict(monitors["gradients"])
        self.dead_relus.load_state_dict(monitors["dead_relus"])
        self.activations.load_state_dict(monitors["activations"])
        self.updates.load_state_dict(monitors["updates"])
        self._resumed = True

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

        recorded = [Recorded(r.monitor, r.records, r.summary, r.findings) for r in self._reporters]
        return write_page(take_notes(read_case(self._journal.entries), recorded), path)


def _axis_step(trainer: Trainer) -> int:
    """Steps done, on the loggers' axis, which counts those of several optimisers once."""
    return min(trainer.global_step, loggers.logger_step(trainer) + 1)


def _record(monitor: Any, quantity: str) -> Record:
    record: Record = monitor._reporter.records[quantity]
    return Record() if monitor.failed else record


def _not_finite(values: dict[str, float], *, reverse: bool = False) -> str | None:
    names = [name for name, value in values.items() if not math.isfinite(value)]
    return (names[-1] if reverse else names[0]) if names else None
