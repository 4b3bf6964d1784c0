"""Early stopping that gives the best weights back and says why it stopped."""

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info

from .stopping.arguments import alpha_of, as_list, check_arguments, modes_of
from .stopping.best_weights import BestWeights, Place, check_strategy, validates_averages
from .stopping.criteria import CriterionName
from .stopping.curve import Position, Smoothing, Unit
from .stopping.epoch_sums import EpochSums
from .stopping.judge import Judge
from .stopping.missed_epoch_end import resume_epoch
from .stopping.missed_validation import batches_trained, is_missed, validate_late
from .stopping.outcome import summarize_outcome
from .stopping.plot import draw_stopping
from .stopping.progress import Stopwatch, TrainingLoss, epochs_trained
from .stopping.readings import Readings
from .stopping.reason import StoppingReason, Verdict
from .stopping.restoring import RestoreLast, restorer

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class EarlyStopping(lightning_callbacks.EarlyStopping):
    """Lightning's early stopping, which gives the best weights back and says why it stopped.

    A check is a validation, or the end of a training epoch where ``check_on_train_epoch_end``
    says so; a metric that was not logged since the last check is not counted again. All ranks
    take one decision: by the mean over the ranks, and for what is not finite or diverges by the
    rank where it is worst. Where the Trainer asks for a minimum of epochs or steps, a stop waits
    for it and is dropped if the metric improves until then.

    However ``fit`` ends (a stop, ``max_epochs``, Ctrl-C, an exception), the module has the
    parameters and buffers of the best check afterwards: averaged ones if Lightning's
    ``WeightAveraging`` had them validated, and each rank's shards under FSDP2. Checkpoints are
    those that they would be without it. Of several such callbacks the one that stopped training
    restores, or else the first.

    What it is worth, by ``benchmarks/early_stopping.py`` (a small MLP, means of five data sets; the
    gain on one has a standard error of 0.05 to 1.5 points over 10 seeds): where a fifth of the
    labels is wrong, the best weights gain 4 points of test accuracy on training to the end, with
    patience 3 in 9% of the epochs; the last ones, with patience 10, gain 2.5. Where the labels
    are right, the test loss falls from 0.45 to 0.28 in 28% of the epochs, but 1 point of accuracy
    is lost (0.8 with patience 10): accuracy still rises when the loss no longer falls. Smoothing
    changed less than the noise. GL, PQ and UP, as they are by default, end between patience 5 and
    never; the limits of GL and PQ are the least of those tried that match patience 5.

    Args:
        monitor: Name of a logged metric, or several; the best weights are those of the first.
        min_delta: Smallest change that is an improvement: a smaller one neither renews patience
            nor is the best.
        patience: How long no improvement is waited for, in ``patience_unit``; for
            ``criterion="UP"`` the number of strips.
        verbose: Whether to log each improvement. A stop is logged in any case.
        mode: ``"min"`` or ``"max"``, for all monitors or for each.
        strict: Whether a metric that is not logged is an error.
        check_finite: Whether NaN or infinity stops training. It is no improvement either way.
        stopping_threshold: Stop once the first metric is better than this.
        divergence_threshold: Stop once the first metric is worse than this on any rank.
        check_on_train_epoch_end: Whether checks belong to the end of the training epoch rather
            than to validation; None finds out from the Trainer, at every fit.
        log_rank_zero_only: Whether only rank 0 logs improvements.
        restore_best_weights: Whether the module has the weights of the best check after fit.
        best_weights: ``"memory"`` of the host, or a ``"file"`` in the run's folder. Checkpoints
            hold the best weights besides their own where those are others.
        start_from_epoch: First epoch (from 0) whose checks count.
        start_from_step: Optimiser steps after which checks count.
        baseline: Patience runs until the first metric is better than this, too.
        baseline_by_epoch: Stop if ``baseline`` is not reached in as many epochs; patience then
            has nothing to do with it.
        patience_unit: ``"checks"``, ``"epochs"`` (fractions count), ``"steps"`` or ``"minutes"``.
        min_delta_mode: ``"absolute"``, or ``"relative"`` to the size of the best value.
        smoothing: What is judged: the metric itself (``"none"``), its exponential moving average
            (``"ema"``), or the ``"median"`` of the last checks. The best check is that with the
            best value of the metric itself.
        smoothing_window: Checks that the average spans or the median is of.
        require: Whether ``"all"`` monitors must call for the stop, or ``"any"`` may.
        criterion: ``"patience"``, or one of Prechelt's signs of over-fitting in a loss: ``"GL"``,
            it is over ``alpha`` percent above its lowest; ``"PQ"``, that by how much the training
            loss still moves is over ``alpha``; ``"UP"``, it rose in ``patience`` strips in a row.
        alpha: Limit of GL (10 by default) or PQ (0.1).
        strip_length: Checks in a strip of PQ and UP.
        max_loss_ratio: Stop at once where a loss is over this many times its best.
        max_minutes: Stop at the first check after as many minutes of training, earlier runs that
            are resumed included. ``Trainer(max_time=...)`` stops between checks, too.

    Attributes:
        best_score: Best value of the first metric.
        best_epoch: Its epoch, from 0; -1 before the first check.
        best_step: Optimiser steps done by then.
        stopped_epoch: Epoch of the stop; 0 if there was none.
        stopping_reason: A :class:`StoppingReason`, equal to Lightning's of the same name.
        stopping_reason_message: One sentence; None if training was not stopped.
        judge: The curves of the monitors, ``judge.first`` that of the first.

    Raises:
        ValueError: If an argument cannot be, alone or with the others.
        RuntimeError: At a check, if ``strict`` and a monitor is not logged.
        TypeError: When training starts, if weights are to be restored under FSDP1 or DeepSpeed.

    Note:
        A resumed run stops at the step of an uninterrupted one, by the limits that it was given
        itself, wherever the checkpoint was saved and however often. What Lightning leaves out
        there, or runs twice, is put right when training starts: a validation that was due or was
        interrupted and an epoch's end that was due or was interrupted run from their start, with
        all callbacks. What was summed up over an interrupted epoch, for a mean say, goes on from
        there, on as many ranks as before; on several, also where an exception left the
        checkpoint, as the ranks exchange these sums every batch. Two things cannot come back, and
        a warning says so on resume: what a module logs in ``on_train_batch_end``, for the batch
        (if it is not the very first) whose ``on_train_batch_end`` saved the checkpoint; and, after
        an exception on several ranks, metrics with lists or over 1024 numbers, and what was not
        logged with the epoch's first batch. A plateau schedule, which Lightning does not step at
        the end of an epoch that it resumes, is none of this callback's.

    Example:
        >>> stopping = EarlyStopping("val_loss", patience=2, patience_unit="epochs")
        >>> stopping.stopping_reason
        <StoppingReason.NOT_STOPPED: 'not_stopped'>

    Reference:
        L. Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade,
        Springer 1998.
    """

    def __init__(
        self,
        monitor: str | list[str],
        min_delta: float = 0.0,
        patience: int | float = 3,
        verbose: bool = False,
        mode: str | list[str] = "min",
        strict: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        check_on_train_epoch_end: bool | None = None,
        log_rank_zero_only: bool = False,
        *,
        restore_best_weights: bool = True,
        best_weights: Place = "memory",
        start_from_epoch: int = 0,
        start_from_step: int = 0,
        baseline: float | None = None,
        baseline_by_epoch: float | None = None,
        patience_unit: Unit = "checks",
        min_delta_mode: Literal["absolute", "relative"] = "absolute",
        smoothing: Smoothing = "none",
        smoothing_window: int = 5,
        require: Literal["all", "any"] = "all",
        criterion: CriterionName = "patience",
        alpha: float | None = None,
        strip_length: int = 5,
        max_loss_ratio: float | None = None,
        max_minutes: float | None = None,
    ) -> None:
        self.monitors = as_list("monitor", monitor)
        modes = modes_of(self.monitors, mode)
        check_arguments(locals(), modes)
        super().__init__(
            monitor=self.monitors[0],
            min_delta=min_delta,
            patience=patience,  # type: ignore[arg-type]
            verbose=verbose,
            mode=modes[0],
            strict=strict,
            check_finite=check_finite,
            stopping_threshold=stopping_threshold,
            divergence_threshold=divergence_threshold,
            check_on_train_epoch_end=check_on_train_epoch_end,
            log_rank_zero_only=log_rank_zero_only,
        )
        self.patience: float = patience  # type: ignore[assignment]
        self.stopping_reason: StoppingReason = StoppingReason.NOT_STOPPED  # type: ignore[assignment]
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.start_from_step = start_from_step
        self.baseline = baseline
        self.baseline_by_epoch = baseline_by_epoch
        self.patience_unit: Unit = patience_unit
        self.require: str = require
        self.criterion: CriterionName = criterion
        self.alpha = alpha_of(criterion, alpha)
        self.strip_length = strip_length
        self.max_loss_ratio = max_loss_ratio
        self.max_minutes = max_minutes
        self._given_check_on_train_epoch_end = check_on_train_epoch_end
        self.judge = Judge(
            self,
            dict(zip(self.monitors, modes, strict=True)),
            min_delta=min_delta,
            relative=min_delta_mode == "relative",
            smoothing=smoothing,
            window=smoothing_window,
        )
        self._readings = Readings(self.monitors, modes, strict, verbose)
        self._best = BestWeights(best_weights, f"best_{self.monitor}_{criterion}")
        self._watch = Stopwatch()
        self._training_loss = TrainingLoss()
        self._epoch_sums = EpochSums(self.monitors)
        self._planned_epochs = -1
        self._loaded = False
        self._clear()

    def _clear(self) -> None:
        self.judge.clear()
        self._readings.clear()
        self._best.clear()
        self._watch.stop(before=0.0)
        self._pending: Verdict | None = None
        self._stops_again = self._begun = False
        self._validated: int | None = 0
        self._ended: int | None = 0
        self._training_loss.clear()
        self._epoch_sums.clear()
        self.stopped_epoch = 0
        self.stopping_reason = StoppingReason.NOT_STOPPED
        self.stopping_reason_message = None
        self._publish()

    def _publish(self) -> None:
        """Set the attributes that show where things stand."""
        curve = self.judge.first
        worst = math.inf if curve.mode == "min" else -math.inf
        self.best_score = torch.tensor(worst if curve.best is None else curve.best)
        best = curve.best_position
        self.best_epoch, self.best_step = (-1, -1) if best is None else (best.epoch, best.steps)
        self.wait_count = int(curve.waited("checks"))

    @property
    def state_key(self) -> str:
        """That of Lightning's callback, where there is nothing that it does not know."""
        monitor = self.monitors if len(self.monitors) > 1 else self.monitor
        more = {} if self.criterion == "patience" else {"criterion": self.criterion}
        return self._generate_state_key(monitor=monitor, mode=self.mode, **more)

    @property
    def best_weights_path(self) -> str | None:
        """File of this process's best weights, with ``best_weights="file"``."""
        return None if self._best.path is None else str(self._best.path)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Start afresh, before a checkpoint is loaded, and find where checks belong."""
        if stage != TrainerFn.FITTING:
            return
        if self.restore_best_weights:
            check_strategy(trainer, pl_module)
        if not self._loaded:
            self._clear()
        self._check_on_train_epoch_end = self._given_check_on_train_epoch_end
        super().setup(trainer, pl_module, stage)
        if self._given_check_on_train_epoch_end is None and not trainer.enable_validation:
            self._check_on_train_epoch_end = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make up for what was missed; stop at once where the run had stopped."""
        if resume_epoch(trainer, self._ended if self._loaded else None):
            self._epoch_sums.unknown = self._epoch_sums.monitors
        self._begin(trainer, pl_module)
        if self._loaded and is_missed(trainer, self._validated):
            validate_late(trainer)
        if self._stops_again and (positions := self.judge.first.positions):
            self._pending = self.judge.verdict(positions[-1])
            self._stop_if_due(trainer, trainer.current_epoch, positions[-1].epoch)
        self._stops_again = False

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, once: another callback may validate before this one's start."""
        if self._begun:
            return
        self._begun = True
        self._planned_epochs = -1 if trainer.max_epochs is None else trainer.max_epochs
        self._watch.start()
        epoch = trainer.current_epoch
        self.judge.begin(Position(epoch, epoch, trainer.global_step, self._watch.minutes))
        if self._loaded and self.best_epoch >= 0 and self.restore_best_weights:
            self._best.settle(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """From here on the weights are no longer those of the last validation."""
        if self._awaits_check and not self._best.staged and self.restore_best_weights:
            self._best.stage(pl_module)
        self._best.in_module = False
        self._epoch_sums.begin_batch(trainer, pl_module)

    @property
    def _awaits_check(self) -> bool:
        """Whether values of a validation wait for the end of the epoch."""
        return bool(self._check_on_train_epoch_end and self._readings.noted)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take up the batch's loss where the criterion needs it, without waiting for the device."""
        if self.criterion == "PQ":
            self._training_loss.add(outputs)
        self._epoch_sums.end_batch(trainer)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Copy averaged weights while they are in the module, to be validated."""
        if batch_idx == dataloader_idx == 0 and self._counts(trainer):
            self._begin(trainer, pl_module)
            self._best.unstage()
            if self.restore_best_weights and validates_averages(trainer):
                self._best.stage(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, where checks belong to validation."""
        if self._counts(trainer):
            self._validated = batches_trained(trainer)
            epochs = epochs_trained(trainer)
            epoch = math.ceil(epochs) - 1
            self._readings.note(trainer, epoch, keep=bool(self._check_on_train_epoch_end))
            if not self._check_on_train_epoch_end:
                self._check(trainer, pl_module, epoch, epochs)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, where checks belong to the training epoch; stop if it is only due now."""
        epoch = trainer.current_epoch
        if self._counts(trainer):
            self._readings.wait(self._epoch_sums.end_epoch(trainer, pl_module), epoch)
            if self._check_on_train_epoch_end:
                self._check(trainer, pl_module, epoch, epoch + 1)
            self._epoch_sums.close()
            self._ended = epoch + 1
            self._stop_if_due(trainer, epoch + 1, epoch)

    def _counts(self, trainer: Trainer) -> bool:
        fast_dev_run: bool = trainer.fast_dev_run  # type: ignore[attr-defined]
        return trainer.state.fn == TrainerFn.FITTING and not (
            trainer.sanity_checking or fast_dev_run
        )

    def _check(
        self, trainer: Trainer, pl_module: LightningModule, epoch: int, epochs: float
    ) -> None:
        mine = [self._watch.minutes, self._training_loss.mean]
        readings, rows = self._readings.take(trainer, mine, self._epoch_sums.unknown)
        loss = sum(row[1] for row in rows) / len(rows)
        at = Position(epoch, epochs, trainer.global_step, rows[0][0])
        improved = False
        if at.epoch < self.start_from_epoch or at.steps < self.start_from_step:
            self.judge.wait(at)
            self._training_loss.clear()
        elif readings:
            before = self.judge.first.describe_best()
            improved = self.judge.add(readings, at, loss)
            self._training_loss.clear()
            if improved and self.verbose:
                best = f"{self.monitor} = {self.judge.first.best:.4g} is the best so far"
                self._log_info(trainer, f"{best}; before: {before}.", self.log_rank_zero_only)
        if improved and self.restore_best_weights:
            self._best.keep(trainer, pl_module)
        self._best.unstage()
        self._publish()
        self.judge.warn_where_undefined()
        self._pending = self.judge.verdict(at)
        self._stop_if_due(trainer, epoch, epoch)

    def _stop_if_due(self, trainer: Trainer, epochs_done: int, epoch: int) -> None:
        """Stop once the Trainer's minimum is met: until then a later check may improve."""
        if self._pending is None:
            return
        minimum = (trainer.min_epochs or 0, trainer.min_steps or 0)
        if epochs_done < minimum[0] or trainer.global_step < minimum[1]:
            return
        trainer.should_stop = True
        self.stopped_epoch = epoch
        self.stopping_reason = self._pending.reason
        self.stopping_reason_message = self._pending.sentence
        self._pending = None
        text = (
            f"Stopped in epoch {epoch}, step {trainer.global_step}: {self.stopping_reason_message}"
        )
        self._log_info(trainer, text, True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the outcome into W&B's summary."""
        self._watch.stop()
        summarize_outcome(trainer, self)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the best weights back, after every checkpoint has been written."""
        self._finish(trainer, pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give the best weights back after an interruption of fit, too."""
        self._watch.stop()
        if trainer.state.fn == TrainerFn.FITTING:
            RestoreLast.append(trainer, self._finish)

    def _finish(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore. Of several that could, the one that stopped training does, or the first."""
        self._loaded = False
        if not self.restore_best_weights:
            return
        if restorer(trainer) not in (self, None):
            self._best.in_module = False
        elif self._best.restore(pl_module):
            rank_zero_info(
                f"EarlyStopping gave back the weights of the best {self.monitor}, "
                f"{self.judge.first.describe_best()}."
            )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the watched curve with what was made of it.

        Args:
            ax: Axes to draw on; None makes a figure.

        Returns:
            The axes.

        Raises:
            ValueError: If there was no check yet.
        """
        return draw_stopping(
            ax,
            self.judge.first,
            kept=self.restore_best_weights,
            stopped=self.stopping_reason is not StoppingReason.NOT_STOPPED,
            planned_epochs=self._planned_epochs,
            sentence=self.stopping_reason_message,
        )

    def state_dict(self) -> dict[str, Any]:
        """Progress and, where the checkpoint's own weights are not the best, the best ones."""
        stopped = self.stopping_reason is not StoppingReason.NOT_STOPPED
        return {
            **super().state_dict(),
            # A number that Lightning's own callback can load.
            "stopping_reason": self.stopping_reason.nearest_in_lightning.value,
            "reason": self.stopping_reason.value,
            "best_epoch": self.best_epoch,
            "stops": stopped or self._pending is not None,
            "validated": self._validated,
            "ended": self._ended,
            "judge": self.judge.state_dict(),
            "readings": self._readings.state_dict(),
            "minutes": self._watch.minutes,
            "training_loss": self._training_loss.state_dict(),
            **self._best.state_dict(),
        }

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what only the Trainer has: what is summed up and what waits for its check."""
        state = checkpoint["callbacks"][self.state_key]
        state["epoch_sums"] = self._epoch_sums.state(trainer)
        if not self._check_on_train_epoch_end:
            state["readings"] = self._readings.state_dict(trainer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a checkpoint's progress, ours or Lightning's; limits stay those of this run."""
        self._clear()
        self._loaded = True
        self._validated = state_dict.get("validated")
        self._ended = state_dict.get("ended")
        if "judge" not in state_dict:
            self.judge.first.adopt(float(state_dict["best_score"]), state_dict["wait_count"])
            return
        self.judge.load_state_dict(state_dict["judge"])
        self._readings.load_state_dict(state_dict["readings"])
        self._best.load_state_dict(state_dict)
        self._watch.stop(before=state_dict["minutes"])
        self._training_loss.load_state_dict(state_dict["training_loss"])
        self._epoch_sums.load_state(state_dict.get("epoch_sums"))
        self._stops_again = state_dict["stops"]
        self._publish()
