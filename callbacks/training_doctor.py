"""Says whether a training is healthy, and if not, what is wrong and what to change."""

import copy
import math
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.optim import Optimizer

from ..functional.arguments import flag, optional_text, optional_whole_number
from .activation_monitor import ActivationMonitor
from .dead_relu_monitor import DeadReLUMonitor
from .diagnosing.brought_monitors import BroughtMonitors
from .diagnosing.causes import explanations, join_causes
from .diagnosing.error_units import error_units
from .diagnosing.examination import examine
from .diagnosing.filling import fill
from .diagnosing.history import History
from .diagnosing.meeting import Meeting
from .diagnosing.observation import Observation
from .diagnosing.rank_news import RankNews
from .diagnosing.schedule import Schedule
from .diagnosing.telling.announcing import announce, conclude
from .diagnosing.telling.plain_code import in_plain_code, is_of_this_package
from .diagnosing.validation import Check, ValidationCurve
from .diagnosing.vital_signs.vitals import Vitals
from .diagnosis import Diagnosis
from .gradient_norm_monitor import GradientNormMonitor
from .monitoring.evaluated_checkpoint import keep_record_of_fit
from .monitoring.guard import (
    SideWork,
    attempt,
    clean_up,
    switch_off_on_error,
    text_of,
    warn_on_rank_zero,
)
from .monitoring.layers import refuse_flattening
from .monitoring.recording import loggers
from .monitoring.recording.last_fit import LastFit
from .monitoring.recording.record_file import Recorded
from .monitoring.recording.reporter import Reporter, warn_if_barebones
from .monitoring.uncompiled import uncompiled
from .reporting.case_notes import Health
from .reporting.journal import Journal
from .reporting.journal_keeping import keep_report, open_journal
from .update_ratio_monitor import UpdateRatioMonitor


class TrainingDoctor(Callback):
    """Watch any training and report what is wrong, where, since when, and what to change.

    The doctor brings the monitors that it needs and sets their intervals (in a long window, at
    least fifty batches tell which units are dead). Monitors that the Trainer already has continue
    unchanged; of two of a kind, only the Trainer's own writes and logs. A finding is reported after
    it has persisted: once per problem, and once more if a warning becomes critical. When it heals,
    it is withdrawn, at the same log level. Symptoms that another problem explains become its
    evidence and not a second diagnosis. A healthy training gets informational notes at most.

    The loss is read off the autograd graph that is differentiated, so that batches and modules can
    have any form: which loss it is, its outputs and targets, and the loss of the best constant
    prediction. Where that cannot be read (a custom loss, a compiled one), the loss curve alone is
    judged. Without validation, over-fitting is not reported.

    With several ranks, the diagnoses cover all of them and are the same on every rank; rank 0
    prints and writes them. A fit resumed from a checkpoint continues its record, and so does
    another fit of the same module by the same Trainer. A copy or a pickle, made at any time, holds
    the diagnoses and records of that moment.

    Args:
        every_n_steps: Optimiser steps between two reports; None uses a fortieth of the training
            or, if its length is unknown, a twentieth of the steps done, from 5 to 200, and from
            step 40,000 on a two-hundredth of the steps done.
        validation_loss: Name of the logged validation loss; None picks one with ``loss`` in its
            name and a word that begins with ``val`` or ``eval`` (or is ``dev``): of several, the
            first that does not name a part of the loss (as ``val_kl_loss`` does), else the one
            whose counterpart in training is the training loss, else the first. Failing that, it
            picks a name with ``loss`` that is logged in validation, or one with ``nll``, ``ce``,
            ``bce``, ``cross_entropy``, ``mse``, ``cost``, ``objective`` or ``criterion`` instead,
            if its first value is of the training loss's size; then a regression's ``mae``, ``rmse``
            or ``r2``, converted to the squared error, absolute error or Huber loss that training
            minimises; then ``val`` alone, if ``train`` is the training loss; then any name whose
            counterpart in training follows the training loss, or equals it within 2% if the outputs
            and targets of that loss cannot be read. With several validation loaders, a name without
            the loader's suffix means the first.
        validation_score: Name of a logged score, larger being better; None picks the first with
            the word ``acc``, ``accuracy``, ``f1``, ``auc`` or ``auroc``, logged in validation or
            with such a word in its name, that is not called a loss or an error. The doctor warns
            once about a given loss or score that is not logged in a validation.
        verbose: Whether the log (``torchvitals.callbacks``) gets a line for each diagnosis and the
            terminal a list of them at the end. Attributes, report page, loggers and W&B alerts get
            them in any case.
        log_figures: Whether the Trainer's loggers and ``callback_metrics`` get the figures of the
            monitors that the doctor brings: at each report one per layer and quantity, at the end
            a heat map and a table. The record in the run's folder and the report page are complete
            in any case; the Trainer's own monitors and the diagnoses are logged in any case.

    Attributes:
        diagnoses: Current diagnoses, worst first.
        announced: All diagnoses that were ever reported, in order: established, or worse since.
        healthy: Whether no current diagnosis is a warning or worse; also True if nothing is known.
        verdict: One sentence: what is wrong, that nothing is, or why there is no verdict.
        failed: Whether the doctor switched itself off after an error.

    Raises:
        ValueError: If ``every_n_steps`` is below 1 or a name is empty; in the sanity check before
            training, if a given name looks like a misspelling of one that is logged there.
        TypeError: If an argument has the wrong type, or when training starts with a strategy that
            flattens parameters (FSDP1).

    Example:
        >>> from lightning.pytorch import Trainer
        >>> doctor = TrainingDoctor()
        >>> trainer = Trainer(callbacks=[doctor], logger=False)
        >>> doctor.diagnoses, doctor.verdict
        ([], 'No verdict: no step is recorded.')
    """

    def __init__(
        self,
        every_n_steps: int | None = None,
        *,
        validation_loss: str | None = None,
        validation_score: str | None = None,
        verbose: bool = True,
        log_figures: bool = True,
    ) -> None:
        self.every_n_steps = optional_whole_number("every_n_steps", every_n_steps)
        self.validation_loss = optional_text("validation_loss", validation_loss)
        self.validation_score = optional_text("validation_score", validation_score)
        self.verbose = flag("verbose", verbose)
        self.log_figures = flag("log_figures", log_figures)
        self.failed = False
        self.gradients = GradientNormMonitor(self.every_n_steps)
        self.dead_relus = DeadReLUMonitor()
        self.activations = ActivationMonitor(self.every_n_steps)
        self.updates = UpdateRatioMonitor(self.every_n_steps)
        self._monitors = BroughtMonitors(
            self.gradients, self.dead_relus, self.activations, self.updates
        )
        self._side_work = SideWork(type(self).__name__)
        self._resumed = self._going_on = False
        self._last_fit = LastFit()
        self._clear()

    def _clear(self) -> None:
        self._schedule = Schedule(self.every_n_steps)
        self._history = History()
        self._observation = Observation(self._schedule)
        self._validation = ValidationCurve(self.validation_loss, self.validation_score)
        self._journal = Journal(self._side_work)
        self._meeting = Meeting()
        self._fitting = self._watches = False

    @property
    def diagnoses(self) -> list[Diagnosis]:
        """Current diagnoses, worst first."""
        return list(self._history.diagnoses)

    @property
    def announced(self) -> list[Diagnosis]:
        """All diagnoses that were ever reported, in order."""
        return list(self._history.announced)

    @property
    def healthy(self) -> bool:
        """Whether no current diagnosis is a warning or worse."""
        return all(diagnosis.severity == "info" for diagnosis in self._history.diagnoses)

    @property
    def verdict(self) -> str:
        """One-sentence verdict; says why there is none before a fit or after too few steps."""
        return self._judgement()[1]

    def _judgement(self) -> tuple[Health, str]:
        from .reporting.case import read_case
        from .reporting.wording import verdict_of

        # The losses are most of the record, and no verdict needs them.
        entries = ({**e, "losses": []} if "losses" in e else e for e in self._journal.entries)
        case = read_case(entries)
        case.failed |= self.failed
        return verdict_of(case)

    def __repr__(self) -> str:
        """Include the verdict; never raise, since a debugger may call this at any time."""
        try:
            health, verdict = self._judgement()
        except Exception:
            return super().__repr__()
        return f"{type(self).__name__}({'healthy' if health == 'healthy' else verdict.rstrip('.')})"

    def _repr_html_(self) -> str:
        """For notebooks: the verdict, and the current diagnoses with their remedies."""
        from .reporting.notebook import notebook_view

        return notebook_view(self.verdict, self._history.diagnoses)

    @property
    def _reporters(self) -> tuple[Reporter, ...]:
        return self._monitors.reporters

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a strategy that the monitors cannot work with."""
        if stage == "fit":
            refuse_flattening(type(self).__name__, trainer, pl_module)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh, unless a checkpoint was just loaded or the last fit continues."""
        if self._last_fit.goes_on(trainer) and not self._resumed:
            attempt(self, self._take_up_last_fit, trainer, pl_module)
        self.failed = False
        self._side_work.resume()
        self._going_on, self._resumed = self._resumed, False
        if not self._going_on:
            self._clear()
        warn_if_barebones(trainer, type(self).__name__)
        for reporter in self._reporters:
            reporter.speaks, reporter.logs = False, self.log_figures
        for monitor in self._monitors:
            monitor.on_fit_start(trainer, pl_module)

    def _take_up_last_fit(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start as if a checkpoint from the end of the last fit had been loaded."""
        checkpoint: dict[str, Any] = {"callbacks": {}}
        self.on_save_checkpoint(trainer, pl_module, checkpoint)
        self.load_state_dict(copy.deepcopy(checkpoint["callbacks"][self.state_key]))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out how long the training is planned to be."""
        self._fitting = True
        attempt(self, self._observation.begin, trainer, pl_module)
        # The ranks must synchronise at the same steps, whatever each of them has planned.
        vitals = self._observation.vitals
        plan = (vitals.planned_steps, vitals.batches_per_epoch)
        self._plan(trainer, self._meeting.hold(self, trainer, plan) or [(math.inf, math.inf)])
        interval = self._schedule.interval
        attempt(self, self._open_journal, trainer, pl_module, vitals, interval)
        for monitor in self._monitors:
            monitor.on_train_start(trainer, pl_module)

    def _open_journal(
        self, trainer: Trainer, pl_module: LightningModule, vitals: Vitals, interval: int
    ) -> None:
        # Another module of the same Trainer starts afresh, too, where the last one's steps ended.
        goes_on = self._going_on or trainer.ckpt_path is not None
        resumed = goes_on and trainer.global_step > 0
        open_journal(self._journal, trainer, pl_module, vitals, interval, resumed=resumed)

    def _plan(self, trainer: Trainer, plans: list[tuple[float, float]]) -> None:
        vitals, schedule, step = self._observation.vitals, self._schedule, trainer.global_step
        vitals.planned_steps, vitals.batches_per_epoch = map(min, zip(*plans, strict=True))
        schedule.plan(step, vitals.planned_steps, resumed=self._going_on and step > 0)
        self._observation.learn_plan(trainer, trainer.current_epoch)
        self._monitors.set_pace(schedule.pace(step))
        self._set_window()

    def _set_window(self) -> None:
        """Set the window of the dead-unit monitor according to the report interval."""
        window, stride = self._schedule.unit_window(self._observation.vitals.batches_per_epoch)
        self.dead_relus.every_n_steps, self.dead_relus.observe_every_n_batches = window, stride

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Pass the call on to the monitors."""
        self.dead_relus.on_train_epoch_start(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Inspect the first batches, and those of a report, more closely."""
        self.gradients.on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self.dead_relus.on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self.activations.on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self._watches = self.dead_relus.watches or self.activations.watches
        if self.failed:
            clean_up(self, self._observation.detach)
        attempt(self, self._observation.open, trainer.global_step, pl_module, batch)

    @uncompiled
    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Read the loss while its graph still exists."""
        if self._watches:
            self.dead_relus.on_before_backward(trainer, pl_module, loss)
            self.activations.on_before_backward(trainer, pl_module, loss)
        attempt(self, self._observation.look, trainer, loss)

    @uncompiled
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Pass the call on to the monitors."""
        if self._watches:
            self.dead_relus.on_after_backward(trainer, pl_module)
            self.activations.on_after_backward(trainer, pl_module)

    @uncompiled
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Inspect the gradients; before the first step, make the first report."""
        # All report at the same steps; under manual optimisation, an optimiser may skip some.
        if self.activations.reports or not pl_module.automatic_optimization:
            self.gradients.on_before_optimizer_step(trainer, pl_module, optimizer)
            self.updates.on_before_optimizer_step(trainer, pl_module, optimizer)
        step = trainer.global_step
        attempt(self, self._observation.inspect, trainer, optimizer, step)
        if self._schedule.begins(step):
            self._report(trainer)

    @uncompiled
    def on_before_zero_grad(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Pass the call on to the monitors."""
        if self._watches:
            self.dead_relus.on_before_zero_grad(trainer, pl_module, optimizer)
            self.activations.on_before_zero_grad(trainer, pl_module, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the batch's loss, and report if it is time."""
        self._monitors.end_batch(trainer, pl_module, outputs, batch, batch_idx)
        attempt(self, self._observation.add, outputs)
        step = trainer.global_step
        if self._schedule.grow(step):
            self._set_window()
        pace = self._schedule.pace(step)
        if self.gradients.every_n_steps != pace:
            self._monitors.set_pace(pace)
        if self._schedule.reports(step):
            self._report(trainer)

    def _report(self, trainer: Trainer, *, checked: bool = False) -> None:
        """Judge what all ranks have observed, including a validation that has just ended."""
        ranks = self._meet(trainer, checked=checked)
        if ranks is not None:
            self._judge(trainer, ranks, checked=checked)

    def _meet(
        self, trainer: Trainer, *, checked: bool = False, look_back: bool = True
    ) -> list[RankNews] | None:
        own = attempt(self, self._news, trainer, checked=checked, look_back=look_back)
        return self._meeting.hold(self, trainer, own)

    def _news(self, trainer: Trainer, *, checked: bool, look_back: bool) -> RankNews:
        check = self._validation.read(trainer) if checked else Check()
        seen = self._observation.news(look_back=look_back)
        return RankNews(seen, check, self._monitors.failed)

    def _take(self, ranks: list[RankNews]) -> None:
        self._observation.take([rank.seen for rank in ranks])
        self._monitors.switch_off(rank.failed for rank in ranks)

    @switch_off_on_error
    def _judge(self, trainer: Trainer, ranks: list[RankNews], *, checked: bool) -> None:
        self._take(ranks)
        vitals = self._observation.settle(trainer)
        if checked:
            checks = [rank.check for rank in ranks]
            kind, units = vitals.objective.kind, error_units(vitals)
            self._validation.add(checks, vitals.losses, trainer.current_epoch, kind, units)
        self._fill(vitals)
        self._conclude_from(trainer, vitals, self._validation.latest if checked else None)

    def _conclude_from(
        self, trainer: Trainer, vitals: Vitals, check: dict[str, float] | None = None
    ) -> None:
        seen = examine(vitals)
        symptoms = in_plain_code(
            join_causes(seen),
            own_module=is_of_this_package(trainer.lightning_module, "lightning_modules"),
            own_data=is_of_this_package(trainer.datamodule, "datamodules"),  # type: ignore[attr-defined]
        )
        done, steps = loggers.steps_done(trainer), trainer.global_step
        # The schedule counts the steps of each of several optimisers.
        interval = self._schedule.interval * done // (steps or 1) or self._schedule.interval
        now = (done, trainer.current_epoch)
        new, gone = self._history.report(symptoms, *now, interval=interval, is_poor=vitals.is_poor)
        keep_report(self._journal, trainer, vitals, self.diagnoses, check)
        explained = explanations(seen, symptoms)
        standing, side_work = self.diagnoses, self._side_work
        announce(trainer, new, gone, standing, explained, side_work, verbose=self.verbose)

    def _fill(self, vitals: Vitals) -> None:
        fill(vitals, self._monitors, self._validation)
        if len(self.gradients.steps) == 1:
            self._observation.vitals.first_gradient_profile = list(self.gradients.profile.values())

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the hooks of training from the model."""
        self.dead_relus.on_validation_start(trainer, pl_module)
        self.activations.on_validation_start(trainer, pl_module)
        attempt(self, self._observation.evaluate, trainer, pl_module)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Record the targets, for the loss of the best constant prediction."""
        attempt(self, self._observation.add_validated, batch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record validation's loss and score; in the sanity check, check that they are logged."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        if trainer.sanity_checking:
            self._see_that_named_are_logged(trainer)
        else:
            self._report(trainer, checked=True)

    def _see_that_named_are_logged(self, trainer: Trainer) -> None:
        # With several loaders, Lightning does not expose what the sanity check logs.
        if not self._validation.named.is_given or len(trainer.num_sanity_val_batches) > 1:
            return
        own = attempt(self, self._validation.named.read, trainer)
        ranks = self._meeting.hold(self, trainer, own)
        if ranks is not None:
            # A wrong argument is no failure of the doctor's, so it stops the training.
            self._validation.named.demand(ranks)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Update the planned length, and pass the call on to the monitors."""
        attempt(self, self._observation.learn_plan, trainer, trainer.current_epoch + 1)
        self.dead_relus.on_train_epoch_end(trainer, pl_module)
        self.activations.on_train_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the last report, and announce the outcome."""
        self._release(trainer, pl_module)
        for monitor in self._monitors:
            monitor.on_train_end(trainer, pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Keep what was recorded of an interrupted fit."""
        text = text_of(exception)
        if isinstance(exception, IndexError) and text.startswith("Target "):
            self._observation.vitals.label_error = text
        self._observation.vitals.is_broken_off = isinstance(exception, Exception)
        self._release(trainer, pl_module, exception)
        for monitor in self._monitors:
            monitor.on_exception(trainer, pl_module, exception)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Clean up after a fit that had no steps to make."""
        for monitor in self._monitors:
            monitor.teardown(trainer, pl_module, stage)

    @switch_off_on_error
    def _judge_sanity_check(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report what is wrong with the labels: nothing else is known before training."""
        vitals = Vitals(label_error=self._observation.vitals.label_error)
        self._open_journal(trainer, pl_module, vitals, self._schedule.interval)
        self._conclude_from(trainer, vitals)

    def _release(
        self, trainer: Trainer, pl_module: LightningModule, error: BaseException | None = None
    ) -> None:
        clean_up(self, self._observation.end)
        # An error may have stopped this rank alone, so it does not wait for the others.
        is_alone = error is None or trainer.world_size == 1
        is_mislabelled = trainer.sanity_checking and self._observation.vitals.label_error
        if self._fitting or (is_mislabelled and is_alone):
            self._fitting = False
            self._last_fit.end(trainer)
            if is_mislabelled:
                self._judge_sanity_check(trainer, pl_module)
            elif is_alone:
                self._report(trainer)
            attempt(
                self, conclude, trainer, self.diagnoses, self._side_work,
                verbose=self.verbose, folder=self._journal.run_folder,
            )  # fmt: skip
            step = loggers.steps_done(trainer)
            clean_up(self, self._journal.end, step, error, failed=self.failed)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save what all ranks have observed so far; after an exception, what they had shared."""
        is_apart = trainer.interrupted and trainer.world_size > 1
        if self._fitting and not is_apart:
            ranks = self._meet(trainer, look_back=False)
            if ranks is not None:
                self._take_up(trainer, ranks)
        # The monitor's window is merged over the ranks, too.
        window: dict[str, Any] = {"callbacks": {self.dead_relus.state_key: {}}}
        self.dead_relus.on_save_checkpoint(trainer, pl_module, window)
        state = self.state_dict()
        state["monitors"]["dead_relus"] |= window["callbacks"][self.dead_relus.state_key]
        checkpoint["callbacks"][self.state_key] = state

    @switch_off_on_error
    def _take_up(self, trainer: Trainer, ranks: list[RankNews]) -> None:
        self._take(ranks)
        step, epoch = loggers.steps_done(trainer), trainer.current_epoch
        self._journal.report(step, epoch, self._observation.vitals.losses, {})

    def state_dict(self) -> dict[str, Any]:
        """Return all observations up to the last report or checkpoint, and the conclusions."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    @property
    def _parts(self) -> dict[str, Any]:
        """All that has a state; the monitors last, which exist on."""
        return {
            "schedule": self._schedule, "history": self._history, "observation": self._observation,
            "validation": self._validation, "journal": self._journal, "monitors": self._monitors,
        }  # fmt: skip

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore nothing for a test or a validation: the record is that of the fit."""
        keep_record_of_fit(self, trainer, checkpoint)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state, from which the next fit continues; one that cannot be read is left."""
        self._clear()
        try:
            for name, part in self._parts.items():
                part.load_state_dict(state_dict[name])
        except Exception as error:
            self._clear()
            warn_on_rank_zero(
                f"{type(self).__name__} starts afresh, as the checkpoint's record cannot be read: "
                f"{type(error).__name__}: {text_of(error)}"
            )
        else:
            self._resumed = True

    def report(self, path: str | Path) -> Path:
        """Write the report page: verdict, findings with their remedies, curves, and heat maps.

        It is one HTML file that opens offline, and can be written at any time during or after
        `fit`. The command ``torchvitals report RUN_DIR`` makes the same page from a run's folder.

        Args:
            path: The file to write; its folder is created.

        Returns:
            Path of the file.

        Raises:
            IsADirectoryError: If ``path`` is a folder.
            TypeError: If ``path`` is not a path.
        """
        from .reporting.case import read_case
        from .reporting.note_taking import take_notes
        from .reporting.page import write_page

        recorded = [Recorded(r.monitor, r.records, r.summary, r.findings) for r in self._reporters]
        return write_page(take_notes(read_case(self._journal.entries), recorded), path)
