"""Early stopping that gives the best weights back."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor


class EarlyStopping(lightning_callbacks.EarlyStopping):
    """Lightning's early stopping, and after training the weights of the best check.

    The metric is averaged over the ranks, so that all take one decision. Further arguments are
    those of :class:`lightning.pytorch.callbacks.EarlyStopping`.

    Args:
        monitor: Name of a logged metric.
        min_delta: Smallest change that counts as an improvement.
        patience: Checks without improvement before training stops.
        verbose: Whether to log each decision.
        mode: ``"min"`` or ``"max"``.
        strict: Whether a missing metric is an error.
        check_finite: Whether NaN or infinity stops training.
        stopping_threshold: Stop once the metric is better than this.
        divergence_threshold: Stop once the metric is worse than this.
        check_on_train_epoch_end: Whether to check at the end of the training epoch rather than
            of validation.
        log_rank_zero_only: Whether only rank 0 logs decisions.
        restore_best_weights: Whether the module has the weights of the best check after fit.
        start_from_epoch: First epoch (from 0) whose checks count.
        baseline: Patience runs until the metric is better than this, too.

    Attributes:
        best_score: Best value of the metric.
        best_epoch: Its epoch, from 0; -1 before the first check.
        stopped_epoch: Epoch of the stop; 0 if there was none.
        stopping_reason_message: One sentence; None if training was not stopped.

    Raises:
        ValueError: If ``patience`` or ``start_from_epoch`` is negative.

    Example:
        >>> stopping = EarlyStopping("val_loss", patience=5, restore_best_weights=True)
        >>> stopping.best_epoch
        -1
    """

    def __init__(
        self,
        monitor: str,
        min_delta: float = 0.0,
        patience: int = 3,
        verbose: bool = False,
        mode: str = "min",
        strict: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        check_on_train_epoch_end: bool | None = None,
        log_rank_zero_only: bool = False,
        *,
        restore_best_weights: bool = True,
        start_from_epoch: int = 0,
        baseline: float | None = None,
    ) -> None:
        for name, value in (("patience", patience), ("start_from_epoch", start_from_epoch)):
            if value < 0:
                raise ValueError(f"Expected `{name}` to be at least 0, but got {value}.")
        super().__init__(
            monitor=monitor,
            min_delta=min_delta,
            patience=patience,
            verbose=verbose,
            mode=mode,
            strict=strict,
            check_finite=check_finite,
            stopping_threshold=stopping_threshold,
            divergence_threshold=divergence_threshold,
            check_on_train_epoch_end=check_on_train_epoch_end,
            log_rank_zero_only=log_rank_zero_only,
        )
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.baseline = baseline
        self.best_epoch = -1
        self._best_weights: dict[str, Tensor] | None = None
        self._weights_are_best = False
        self._resumed = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh, unless a checkpoint was just loaded."""
        if self._resumed:
            if self._best_weights is None and self.best_epoch >= 0 and self.restore_best_weights:
                self._snapshot(pl_module)
        else:
            worst = float("inf") if self.mode == "min" else -float("inf")
            self.best_score = torch.tensor(worst)
            self.best_epoch, self.wait_count, self.stopped_epoch = -1, 0, 0
            self.stopping_reason = type(self.stopping_reason).NOT_STOPPED
            self.stopping_reason_message = None
            self._best_weights = None
        self._resumed = False

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """From here on the weights are no longer those of the best check."""
        self._weights_are_best = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, where checks belong to the training epoch."""
        if self._check_on_train_epoch_end:
            self._check(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, where checks belong to validation."""
        if not self._check_on_train_epoch_end:
            self._check(trainer, pl_module)

    def _check(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        fast_dev_run: bool = trainer.fast_dev_run  # type: ignore[attr-defined]
        if fast_dev_run or trainer.current_epoch < self.start_from_epoch:
            return
        metrics = trainer.callback_metrics
        if not self._validate_condition_metric(metrics):
            return
        value = trainer.strategy.reduce(metrics[self.monitor].squeeze(), reduce_op="mean")
        should_stop, reason, improved = self._decide(torch.as_tensor(value))
        if improved:
            self.best_epoch = trainer.current_epoch
            if self.restore_best_weights:
                self._snapshot(pl_module)
        if should_stop:
            trainer.should_stop = True
            self.stopped_epoch = trainer.current_epoch
            self.stopping_reason_message = reason
        if reason and self.verbose:
            self._log_info(trainer, reason, self.log_rank_zero_only)

    def _decide(self, current: Tensor) -> tuple[bool, str | None, bool]:
        """Whether to stop, why, and whether this is the best check so far."""
        checks_without_improvement = self.wait_count
        best = self.best_score.to(current.device)
        improved = bool(self.monitor_op(current - self.min_delta, best))
        should_stop, reason = self._evaluate_stopping_criteria(current)
        if improved and not torch.isnan(current):
            self.best_score = current
            missed = self.baseline is not None and not self.monitor_op(current, self.baseline)
            if missed and not should_stop:
                self.wait_count = checks_without_improvement + 1
                if self.wait_count >= self.patience:
                    should_stop = True
                    self.stopping_reason = type(self.stopping_reason).PATIENCE_EXHAUSTED
                    reason = (
                        f"{self.monitor} did not get past the baseline {self.baseline} in "
                        f"{self.wait_count} checks. Best: {float(current):.3f}."
                    )
        return should_stop, reason, improved

    def _snapshot(self, pl_module: LightningModule) -> None:
        # Copies on the host: a second copy of the weights may not fit on the device.
        self._best_weights = {
            name: value.detach().to("cpu", copy=True)
            for name, value in pl_module.state_dict().items()
            if isinstance(value, Tensor)
        }
        self._weights_are_best = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the best weights back, after every checkpoint has been written."""
        self._restore(pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Give the best weights back after an interruption of fit, too."""
        if trainer.state.fn == TrainerFn.FITTING and not isinstance(exception, KeyboardInterrupt):
            self._restore(pl_module)

    def _restore(self, pl_module: LightningModule) -> None:
        if self.restore_best_weights and self._best_weights and not self._weights_are_best:
            pl_module.load_state_dict(self._best_weights, strict=False)
            self._weights_are_best = True

    def state_dict(self) -> dict[str, Any]:
        """Progress and, where the checkpoint's own weights are not the best, the best ones."""
        weights = None if self._weights_are_best else self._best_weights
        return {**super().state_dict(), "best_epoch": self.best_epoch, "best_weights": weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a checkpoint's progress; ``patience`` stays that of this run."""
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience
        self.best_epoch = state_dict.get("best_epoch", -1)
        self._best_weights = state_dict.get("best_weights")
        self._resumed = True
