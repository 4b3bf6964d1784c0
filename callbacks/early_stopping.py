"""Early stopping that gives the best weights back and says why it stopped."""

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
from .stopping.judging.criteria import CriterionName
from .stopping.judging.curve import Smoothing, Unit
from .stopping.judging.reason import StoppingReason
from .stopping.other_hooks import (
    ends_with_an_average,
    may_change_weights,
    validates_averages,
)
from .stopping.outcome import summarize_outcome
from .stopping.plot import draw_stopping
from .stopping.restoring import RestoreLast, announce_lost_average, drop_helpers, give_back
from .stopping.resuming.progress import counts, epochs_trained

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
    parameters and buffers afterwards that the best check validated: averaged ones if a callback or
    a hook of the module swaps such in for validation, and each rank's shards under FSDP2. They also
    replace what other callbacks put into the module after the last check, as
    ``StochasticWeightAveraging`` does with its average: ``restore_best_weights=False`` keeps that.
    (Networks with BatchNorm have the average validated first, and it comes back if that was the
    best check.) Checkpoints have the weights that they would have without it, and the best ones
    beside them. Of several such callbacks the one that stopped training restores, or else the
    first.

    What it is worth is measured by ``benchmarks/early_stopping.py``: most where labels are wrong.
    The limits of GL and PQ, as they are by default, are the least of those tried there that match
    patience 5.

    Args:
        monitor: Name of a logged metric, or several; the best weights are those of the first.
        min_delta: Smallest change that is an improvement: a smaller one neither renews patience
            nor is the best. Below zero, how much worse than the last that renewed patience a
            value may be and renew it again.
        patience: How long no improvement is waited for, in ``patience_unit``; for
            ``criterion="UP"`` the number of strips.
        verbose: Whether to log each improvement. A stop is logged in any case.
        mode: ``"min"`` or ``"max"``, for all monitors or for each.
        strict: Whether a metric that is not logged is an error.
        check_finite: Whether NaN or infinity stops training, in the warm-up, too. It is no
            improvement either way.
        stopping_threshold: Stop once the first metric is better than this.
        divergence_threshold: Stop once the first metric is worse than this on any rank.
        check_on_train_epoch_end: Whether checks belong to the end of the training epoch rather
            than to validation; None finds out from the Trainer, at every fit.
        log_rank_zero_only: Whether only rank 0 logs improvements.
        restore_best_weights: Whether the module has the weights of the best check after fit.
        best_weights: ``"memory"`` of the host, or a ``"file"`` in the run's folder, where it stays;
            every callback, process and run, a resumed one too, has its own. Checkpoints hold the
            best weights besides their own where those are others.
        start_from_epoch: First epoch (from 0) whose checks count.
        start_from_step: Optimiser steps after which checks count.
        baseline: Patience runs until the first metric is better than this, too.
        baseline_by_epoch: Stop if ``baseline`` is not reached, to the digit or by more, in as many
            epochs; patience then has nothing to do with it.
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
        max_loss_ratio: Stop at once where a loss is over this many times its best, on any rank its
            own.
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
        TypeError: If an argument is of another type; when training starts, if weights are to be
            restored under FSDP1 or DeepSpeed.

    Note:
        Of a training that repeats itself, a resumed run stops at the step of an uninterrupted one,
        by the limits that it was given itself, wherever the checkpoint was saved and however often.
        What Lightning leaves out there, or runs twice, is put right when training starts. What that
        takes, what it costs, and what cannot come back are in ``stopping/resuming.md``. After
        ``ddp_spawn`` the module has the best weights, but what this object knows stays in the
        processes that trained: it is in their checkpoints and log.

        Between a validation and its check, weights may be swapped out again. Where there is a hook
        that is not Lightning's own, they are therefore copied at each validation, rather than only
        at the best ones. Lightning's ``WeightAveraging`` has the best weights for its average
        afterwards; what another callback swaps in for a validation after fit is still its own.

        What comes back are the tensors in the module's ``state_dict()`` and the trained parameters
        that it leaves out: no buffers that are not persistent, nor what ``get_extra_state`` gives
        but tensors. A checkpoint that is saved after fit has the
        best weights with the last state of the optimiser: to go on from it is another run than
        to go on from one that was saved in fit.

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
            announce_lost_average(self, trainer)
        drop_helpers(trainer)
        if not self._checks.loaded:
            self._clear()
        self._is_set_up = True
        self._check_on_train_epoch_end = self._given_check_on_train_epoch_end
        if self._check_on_train_epoch_end is None and not hasattr(trainer, "val_check_interval"):
            # Validation by the clock: Lightning's own finds no interval there, and fails.
            self._check_on_train_epoch_end = False
        super().setup(trainer, pl_module, stage)
        if self._given_check_on_train_epoch_end is None and not trainer.enable_validation:
            self._check_on_train_epoch_end = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make up for what was missed; stop at once where the run had stopped."""
        self._forget_stop()
        self._checks.end_epoch_late(trainer)
        self._begin(trainer, pl_module)
        self._checks.validate_late(trainer)
        if (epoch := self._checks.stop_again()) is not None:
            self._stop_if_due(trainer, trainer.current_epoch, epoch)
        if self.stopping_reason is not StoppingReason.NOT_STOPPED:
            self._checks.end_stopped_epoch(trainer)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        first = self._checks.begin(trainer)
        if first and self._checks.loaded and self.restore_best_weights:
            self._best.settle(trainer, pl_module, has_best=self.best_epoch >= 0)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """An epoch begins, and is not resumed in its midst."""
        self._checks.epoch_sums.begin_epoch()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """From here on the weights are no longer those of the last validation."""
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
        """From here on gradients are no longer those of whole batches."""
        self._checks.gradients.begin_backward(trainer)

    @uncompiled
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gradients wait for a step."""
        if not pl_module.automatic_optimization:
            self._checks.gradients.by_hand.end_backward(trainer)

    @uncompiled
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """They are taken."""
        self._checks.gradients.begin_step(trainer, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Complete what is summed up."""
        self._checks.end_batch(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Its first batch is to come: of which loader, and with which index, differs."""
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
        """A validation begins: what waits for a check is of an earlier one."""
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
        """Copy the weights that are validated, where others may be in the module at the check.

        Behind the first batch: DDP gives each rank the first one's buffers with it.
        """
        stages, self._is_to_stage = self._is_to_stage, False
        if stages and counts(trainer) and self.restore_best_weights:
            at_epoch_end = bool(self._check_on_train_epoch_end)
            if may_change_weights(trainer, pl_module, at_epoch_end):
                self._best.stage(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, where checks belong to validation."""
        if counts(trainer):
            self._checks.averages.end_validation()
            self._checks.end_validation(trainer, keep=bool(self._check_on_train_epoch_end))
            if not self._check_on_train_epoch_end:
                self._check_now(trainer, pl_module)
            elif not (self._checks.readings.of_validation or validates_averages(trainer)):
                self._best.unstage()  # A metric of training is one of the weights at its end.

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, where checks belong to the training epoch; stop if it is only due now."""
        epoch = trainer.current_epoch
        if counts(trainer):
            self._checks.add_up(trainer, pl_module)
            if self._check_on_train_epoch_end:
                self._check(trainer, pl_module, epoch, epoch + 1)
            self._checks.end_epoch(trainer)
            self._stop_if_due(trainer, epoch + 1, epoch)

    def _run_early_stopping_check(self, trainer: Trainer) -> None:
        # What subclasses of Lightning's callback call where they want a check.
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
        if improvement and self.verbose:
            self._log_info(trainer, improvement, self.log_rank_zero_only)
        if improvement and self.restore_best_weights:
            self._best.keep(trainer, pl_module)
        self._best.unstage()
        self._publish()
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
        """Put the outcome into W&B's summary."""
        self._checks.watch.stop()
        if ends_with_an_average(trainer):
            self._best.in_module = False  # what a checkpoint that is saved from here on must know
        summarize_outcome(trainer, self)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the best weights back, after every checkpoint has been written."""
        self._finish(trainer, pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give the best weights back after an interruption of fit, too, and keep the outcome.

        Not where it failed before `setup`: what there is then is of an earlier fit.
        """
        self._checks.watch.stop()
        if trainer.state.fn == TrainerFn.FITTING and self._is_set_up:
            self._is_set_up = False
            summarize_outcome(trainer, self)
            RestoreLast.append(trainer, self._finish)

    def _finish(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._is_set_up = False
        self._checks.end_fit(trainer)
        if self.restore_best_weights and give_back(self, self._best, trainer, pl_module):
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
            ValueError: If there was no check yet, or only in processes of ``ddp_spawn``.
        """
        last = self.judge.last_position
        return draw_stopping(
            ax,
            self.judge.first,
            kept=self.restore_best_weights,
            stopped=self.stopping_reason is not StoppingReason.NOT_STOPPED,
            end=0.0 if last is None else last.epochs,
            steps=0 if last is None else last.steps,
            planned_epochs=self._checks.planned_epochs,
            sentence=self.stopping_reason_message,
        )

    def state_dict(self) -> dict[str, Any]:
        """Progress and, where the checkpoint's own weights are not the best, the best ones."""
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
        """Add what only the Trainer has: what is summed up and what waits for its check."""
        state = checkpoint["callbacks"][self.state_key]
        self._checks.complete(state, trainer)
        self._checks.buffers.put_into(checkpoint, trainer, pl_module)
        self._best.omit_own(state, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take nothing up for a test or a validation: what is known is of the fit."""
        keep_record_of_fit(self, trainer, checkpoint)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a checkpoint's progress, ours or Lightning's; limits stay those of this run."""
        self._clear()
        if self._checks.load_state_dict(state_dict):
            self._best.load_state_dict(state_dict)
            self._publish()
        if self._checks.stops_again:
            # It stands if there is nothing more to train.
            self.stopped_epoch = state_dict["stopped_epoch"]
            self.stopping_reason = StoppingReason(state_dict["reason"])
            self.stopping_reason_message = state_dict.get("stopping_reason_message")
