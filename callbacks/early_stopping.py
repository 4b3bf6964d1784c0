"""Early stopping that restores the best weights and reports why it stopped."""

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info
from torch.optim import Optimizer

from ..functional.arguments import number
from .monitoring.evaluated_checkpoint import keep_record_of_fit
from .monitoring.uncompiled import uncompiled
from .stopping.arguments import alpha_of, as_list, check_arguments, modes_of
from .stopping.best_weights import BestWeights, Place, check_strategy
from .stopping.checks import Checks
from .stopping.helping_callbacks import callbacks_of, drop_helpers
from .stopping.judging.criteria import CriterionName
from .stopping.judging.curve import Position, Smoothing, Unit
from .stopping.judging.reason import StoppingReason
from .stopping.other_hooks import (
    ends_with_an_average,
    may_change_weights,
    validates_averages,
)
from .stopping.outcome import summarize_outcome
from .stopping.plot import draw_stopping
from .stopping.restoring import RestoreLast, announce_lost_average, give_back
from .stopping.resuming.progress import counts, epochs_trained, validates

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class EarlyStopping(lightning_callbacks.EarlyStopping):
    """Lightning's early stopping that also restores the best weights and reports why it stopped.

    A check takes place after each validation, or at the end of each training epoch, depending on
    ``check_on_train_epoch_end``; a metric that has not been logged since the last check is not
    counted again. All ranks take the same decision: from the mean over ranks or, for non-finite
    and diverging values, from the worst rank. If the Trainer requires a minimum number of epochs or
    steps, a stop is deferred until then, and dropped if the metric improves in the meantime.

    However ``fit`` ends (a stop, ``max_epochs``, Ctrl-C, an exception), the module then has the
    parameters and buffers that were validated at the best check: averaged ones if a callback or a
    hook of the module swaps them in for validation, and each rank's own shards under FSDP2. They
    also replace what other callbacks write into the module after the last check, such as the
    average of ``StochasticWeightAveraging``; ``restore_best_weights=False`` keeps it. (In networks
    with BatchNorm the average is validated first, and is restored if that was the best check.)
    Checkpoints contain the weights that they would without this callback, and the best ones in
    addition. Of several such callbacks, the one that stopped training restores, or else the first.

    ``benchmarks/early_stopping.py`` measures the benefit, which is largest with wrong labels. The
    default limits of GL and PQ are the smallest of those tried there that match the accuracy of
    ``patience=5``.

    Args:
        monitor: Name of a logged metric, or several; the best weights are those of the first.
        min_delta: Change that an improvement must exceed: a smaller one neither resets patience
            nor becomes the best. If negative, a value that is worse than the last one that reset
            patience, but by less than this, resets it again.
        patience: How long to wait for an improvement, in ``patience_unit``; for
            ``criterion="UP"`` the number of strips.
        verbose: Whether to log each improvement. A stop is always logged.
        mode: ``"min"`` or ``"max"``, one for all monitors or one for each.
        strict: Whether a metric that is not logged is an error.
        check_finite: Whether NaN or infinity stops training, during warm-up as well. It never
            counts as an improvement.
        stopping_threshold: Stop once the first metric is better than this.
        divergence_threshold: Stop once the first metric is worse than this on any rank.
        check_on_train_epoch_end: Whether to check at the end of the training epoch rather than
            after validation; None infers this from the Trainer at every fit.
        log_rank_zero_only: Whether only rank 0 logs improvements.
        restore_best_weights: Whether to restore the weights of the best check after fit.
        best_weights: Where to keep them: in host ``"memory"``, or in a ``"file"`` in the run's
            folder, which is not deleted; every callback, process and run, even a resumed one, has
            its own. Checkpoints also contain the best weights if they differ from their own.
        start_from_epoch: First epoch (from 0) whose checks count.
        start_from_step: Number of optimiser steps before checks count.
        baseline: Improvements do not reset patience until the first metric is better than this.
        baseline_by_epoch: Stop if no value has been at least as good as ``baseline`` after this
            many epochs; patience then ignores the baseline.
        patience_unit: ``"checks"``, ``"epochs"`` (fractions count), ``"steps"`` or ``"minutes"``.
        min_delta_mode: ``"absolute"``, or ``"relative"`` to the magnitude of the value to beat.
        smoothing: What the criterion judges: the metric itself (``"none"``), its exponential moving
            average (``"ema"``), or the ``"median"`` of the last checks. The best check is always
            the one with the best unsmoothed value.
        smoothing_window: Number of checks in the average's span or the median's window.
        require: Whether ``"all"`` monitors must meet the criterion for a stop, or ``"any"``.
        criterion: ``"patience"``, or one of Prechelt's criteria for over-fitting in a loss:
            ``"GL"``, it is more than ``alpha`` percent above its lowest value; ``"PQ"``, that,
            divided by how much the training loss still changes, exceeds ``alpha``; ``"UP"``, it
            rose over ``patience`` successive strips.
        alpha: Limit of GL (10 by default) or PQ (0.1 by default).
        strip_length: Number of checks in a strip of PQ and UP.
        max_loss_ratio: Stop at once if, on any rank, a loss is over this multiple of its lowest
            value there.
        max_minutes: Stop at the first check after this many minutes of training, including earlier
            runs that are resumed. ``Trainer(max_time=...)`` also stops between checks.

    Attributes:
        best_score: Best value of the first metric.
        best_epoch: Its epoch, from 0; -1 before the first check.
        best_step: Number of optimiser steps at that check; -1 before the first check.
        stopped_epoch: Epoch of the stop; 0 if there was none.
        stopping_reason: A :class:`StoppingReason`, equal to Lightning's of the same name.
        stopping_reason_message: The reason in words; None if training was not stopped.
        judge: The curves of the monitors; ``judge.first`` is that of the first.

    Raises:
        ValueError: If an argument is invalid, alone or in combination with others.
        RuntimeError: At a check, if ``strict`` and a monitor is not logged.
        TypeError: If an argument has the wrong type; at the start of fit, if weights are to be
            restored under FSDP1 or DeepSpeed.

    Note:
        If training is reproducible, a resumed run stops at the same step as an uninterrupted one,
        under the limits given to the resumed run, wherever and however often it is interrupted.
        Whatever Lightning skips or repeats on resume is corrected when training starts.
        ``stopping/resuming.md`` describes how, at what cost, and what cannot be recovered. After
        ``ddp_spawn`` the module has the best weights, but the state of this object stays in the
        processes that trained: it is in their checkpoints and log.

        Between a validation and its check, weights may be swapped out again. If a custom hook runs
        there, they are therefore copied at every validation, rather than only at the best ones.
        After fit, Lightning's ``WeightAveraging`` has the best weights as its average; another
        callback that swaps in weights for a validation after fit still swaps in its own.

        The tensors in the module's ``state_dict()`` are restored, and the trained parameters that
        it omits, but no non-persistent buffers, nor anything but tensors from ``get_extra_state``.
        A checkpoint saved after fit has the best weights with the last optimiser state: continuing
        from it is not the same as continuing from one saved during fit.

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
            self.monitors[0], min_delta, patience, verbose, modes[0], strict,  # type: ignore[arg-type]
            check_finite, stopping_threshold, divergence_threshold, check_on_train_epoch_end,
            log_rank_zero_only,
        )  # fmt: skip
        self.patience: float = number("patience", patience)  # type: ignore[assignment]
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
        self._checks = Checks(
            self, dict(zip(self.monitors, modes, strict=True)), strict, verbose,
            min_delta=min_delta, relative=min_delta_mode == "relative", smoothing=smoothing,
            window=smoothing_window,
        )  # fmt: skip
        self.judge = self._checks.judge
        self._best = BestWeights(best_weights, f"best_{self.monitor}_{self.mode}_{criterion}")
        self._is_set_up = self._is_to_begin = self._is_to_stage = False
        self._clear()

    def _clear(self) -> None:
        self._checks.clear()
        self._best.clear()
        self._forget_stop()
        self._publish()

    def _forget_stop(self) -> None:
        self.stopped_epoch = 0
        self.stopping_reason = StoppingReason.NOT_STOPPED
        self.stopping_reason_message = None

    def _publish(self) -> None:
        """Update the public attributes."""
        curve = self.judge.first
        worst = math.inf if curve.mode == "min" else -math.inf
        self.best_score = torch.tensor(worst if curve.best is None else curve.best)
        best = curve.best_position
        self.best_epoch, self.best_step = (-1, -1) if best is None else (best.epoch, best.steps)
        self.wait_count = int(curve.waited("checks"))

    @property
    def state_key(self) -> str:
        """Lightning's own key, extended if there are several monitors or another criterion."""
        monitor = self.monitors if len(self.monitors) > 1 else self.monitor
        more = {} if self.criterion == "patience" else {"criterion": self.criterion}
        return self._generate_state_key(monitor=monitor, mode=self.mode, **more)

    @property
    def best_weights_path(self) -> str | None:
        """File with this process's best weights, if ``best_weights="file"``."""
        return None if self._best.path is None else str(self._best.path)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Start afresh, before a checkpoint is loaded, and determine when to check."""
        if stage != TrainerFn.FITTING:
            return
        if self.restore_best_weights:
            check_strategy(trainer, pl_module)
            announce_lost_average(self, trainer)
        drop_helpers(trainer)
        # Not what the last fit loaded, if another callback kept it from ending.
        if self._is_set_up or not self._checks.loaded:
            self._clear()
        self._is_set_up = True
        self._check_on_train_epoch_end = self._given_check_on_train_epoch_end
        if self._check_on_train_epoch_end is None and not hasattr(trainer, "val_check_interval"):
            # Time-based validation: Lightning's own `setup` would fail without an interval.
            self._check_on_train_epoch_end = False
        super().setup(trainer, pl_module, stage)
        if self._given_check_on_train_epoch_end is None and not trainer.enable_validation:
            self._check_on_train_epoch_end = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Catch up on what a resumed run missed; stop at once if it had stopped."""
        epoch = self.stopped_epoch  # of the run that is resumed
        self._forget_stop()
        self._checks.end_epoch_late(trainer)
        self._begin(trainer, pl_module)
        self._checks.validate_late(trainer)
        if self._checks.stop_again():
            self._stop_if_due(trainer, trainer.current_epoch, epoch)
        if self.stopping_reason is not StoppingReason.NOT_STOPPED:
            self._checks.end_stopped_epoch(trainer)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        first = self._checks.begin(trainer)
        if first and self._checks.loaded and self.restore_best_weights:
            self._best.settle(trainer, pl_module, has_best=self.best_epoch >= 0)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that an epoch starts from its beginning, rather than being resumed midway."""
        self._checks.epoch_sums.begin_epoch()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note that the weights are about to differ from those of the last validation."""
        awaits_check = self._check_on_train_epoch_end and self._checks.readings.of_validation
        if awaits_check and not self._best.staged and self.restore_best_weights:
            self._best.stage(pl_module)
        self._best.in_module = False
        self._begin(trainer, pl_module)
        self._checks.begin_batch(trainer, pl_module)

    @uncompiled
    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor
    ) -> None:
        """Note that from here on gradients may include part of a batch."""
        self._checks.gradients.begin_backward(trainer)

    @uncompiled
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that gradients await a step, under manual optimisation."""
        if not pl_module.automatic_optimization:
            self._checks.gradients.by_hand.end_backward(trainer)

    @uncompiled
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Note that an optimiser is about to use its gradients."""
        self._checks.gradients.begin_step(trainer, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Complete the running sums of the epoch."""
        self._checks.end_batch(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the first batch is still to come: its index and dataloader may vary."""
        self._is_to_begin = self._is_to_stage = True
        if counts(trainer):
            self._checks.averages.begin_validation(trainer)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Drop weights that await the check of an earlier validation, when a new one begins."""
        begins, self._is_to_begin = self._is_to_begin, False
        if begins and counts(trainer):
            self._begin(trainer, pl_module)
            self._best.unstage()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Copy the weights being validated, if the module may have others by the check.

        After the first batch, because DDP broadcasts the buffers of rank 0 with it.
        """
        stages, self._is_to_stage = self._is_to_stage, False
        if stages and counts(trainer) and self.restore_best_weights:
            at_epoch_end = bool(self._check_on_train_epoch_end)
            if may_change_weights(trainer, pl_module, at_epoch_end):
                self._best.stage(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Run the check, if checks follow validation."""
        if counts(trainer):
            self._checks.averages.end_validation()
            self._checks.end_validation(trainer, keep=bool(self._check_on_train_epoch_end))
            if not self._check_on_train_epoch_end:
                self._check_now(trainer, pl_module)
            elif not (self._checks.readings.of_validation or validates_averages(trainer)):
                self._best.unstage()  # A training metric belongs to the weights at the epoch's end.

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Run the check, if checks follow the training epoch; take a stop that is only due now."""
        epoch = trainer.current_epoch
        if counts(trainer):
            self._checks.add_up(trainer, pl_module)
            if self._given_check_on_train_epoch_end is None and not validates(trainer):
                self._check_on_train_epoch_end = True
            if self._check_on_train_epoch_end:
                self._check(trainer, pl_module, epoch, epoch + 1)
            self._checks.end_epoch(trainer)
            self._stop_if_due(trainer, epoch + 1, epoch)

    def _run_early_stopping_check(self, trainer: Trainer) -> None:
        # Subclasses of Lightning's callback call this to run a check.
        if counts(trainer):
            self._checks.end_validation(trainer, keep=False)
            self._check_now(trainer, trainer.lightning_module)

    def _check_now(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epochs = epochs_trained(trainer)
        self._check(trainer, pl_module, math.ceil(epochs) - 1, epochs)

    def _check(
        self, trainer: Trainer, pl_module: LightningModule, epoch: int, epochs: float
    ) -> None:
        improvement = self._checks.check(trainer, epoch, epochs)
        self._publish()
        if improvement and self.verbose:
            self._log_info(trainer, improvement, self.log_rank_zero_only)
        if improvement and self.restore_best_weights:
            self._best.keep(trainer, pl_module)
        self._best.unstage()
        self._stop_if_due(trainer, epoch, epoch)

    def _stop_if_due(self, trainer: Trainer, epochs_done: int, epoch: int) -> None:
        verdict = self._checks.verdict(trainer, epochs_done)
        if verdict is None:
            return
        trainer.should_stop = True
        self.stopped_epoch = epoch
        self.stopping_reason = verdict.reason
        self.stopping_reason_message = verdict.sentence
        text = f"Stopped in epoch {epoch}, step {trainer.global_step}: {verdict.sentence}"
        self._log_info(trainer, text, True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the outcome to W&B's summary."""
        self._checks.watch.stop()
        if ends_with_an_average(trainer):
            self._best.in_module = False  # for checkpoints saved from here on
        summarize_outcome(trainer, self)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the best weights, after every checkpoint has been written."""
        self._finish(trainer, pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Restore the best weights after an interruption of fit, too, and record the outcome.

        Not if fit failed before `setup`: the state is then that of an earlier fit.
        """
        self._checks.watch.stop()
        if trainer.state.fn == TrainerFn.FITTING and self._is_set_up:
            self._is_set_up = self._checks.loaded = False
            summarize_outcome(trainer, self)
            # Lightning is iterating over the list, and so reaches the end of it.
            callbacks_of(trainer).append(RestoreLast(self._finish))

    def _finish(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._is_set_up = False
        self._checks.end_fit(trainer)
        if self.restore_best_weights and give_back(self, self._best, trainer, pl_module):
            rank_zero_info(
                f"EarlyStopping restored the weights of the best {self.monitor}, "
                f"{self.judge.first.describe_best()}."
            )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Plot the curve of the first monitor, with its best checks and the stop.

        Args:
            ax: Axes to draw on; None creates a figure.

        Returns:
            The axes.

        Raises:
            ValueError: If no check followed the warm-up, or only in the processes of ``ddp_spawn``.
        """
        last = self.judge.last_position or Position()
        # A stop that the Trainer's minimum deferred may come epochs after the last check.
        deferred = self.stopped_epoch >= math.ceil(last.epochs)
        return draw_stopping(
            ax,
            self.judge.first,
            kept=self.restore_best_weights,
            stopped=self.stopping_reason is not StoppingReason.NOT_STOPPED,
            end=self.stopped_epoch + 1.0 if deferred else last.epochs,
            steps=last.steps,
            planned_epochs=self._checks.planned_epochs,
            sentence=self.stopping_reason_message,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the progress and, if they differ from the checkpoint's own, the best weights."""
        return {
            **super().state_dict(),
            # A number that Lightning's own callback can load.
            "stopping_reason": self.stopping_reason.nearest_in_lightning.value,
            "reason": self.stopping_reason.value,
            "best_epoch": self.best_epoch,
            **self._checks.state_dict(self.stopping_reason is not StoppingReason.NOT_STOPPED),
            **self._best.state_dict(),
        }

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what only the Trainer has: running sums, and values that await a check."""
        state = checkpoint["callbacks"][self.state_key]
        self._checks.complete(state, trainer)
        self._checks.buffers.put_into(checkpoint, trainer, pl_module)
        self._best.omit_own(state, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Load no state for a test or a validation: keep that of the fit."""
        keep_record_of_fit(self, trainer, checkpoint)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint's progress, ours or Lightning's; the limits stay those of this run."""
        self._clear()
        if self._checks.load_state_dict(state_dict):
            self._best.load_state_dict(state_dict)
            self._publish()
        if self._checks.stops_again:
            # The stop remains in force if there is nothing left to train.
            self.stopped_epoch = state_dict["stopped_epoch"]
            self.stopping_reason = StoppingReason(state_dict["reason"])
            self.stopping_reason_message = state_dict["stopping_reason_message"]
