"""Schedules that follow a metric, such as ReduceLROnPlateau, across an interruption.

Lightning saves no metric for them in checkpoints. It therefore steps none of them at the end of
the epoch that it resumes, nor after a batch or an epoch whose checkpoint was saved before they were
stepped.
"""

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

from lightning.pytorch import Trainer
from torch import Tensor

from .missed_validation import is_due
from .progress import batch_progress, epoch_progress, left_to_lightning

T = TypeVar("T")


class PlateauState(TypedDict):
    """State of these schedules in a checkpoint.

    Attributes:
        values: Last values of the metrics that they follow.
        stepped: How often schedules of all kinds had been stepped.
        due: Interval, ``"step"`` or ``"epoch"``, of schedules that had yet to be stepped for the
            batch or epoch that had just ended; empty if there were none.
        epoch: The current epoch at that time.
    """

    values: dict[str, Tensor]
    stepped: int
    due: str
    epoch: int


class PlateauSchedules:
    """Step them as often as an uninterrupted run would, and with the same values.

    A Trainer without such schedules is left alone. If several callbacks find the same step due in
    the checkpoint, it is taken once: each compares how often schedules have been stepped.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._loaded: PlateauState | None = None
        self._failed = self._cut_short = False
        # The batch and the epoch that ended last, and how often schedules had been stepped before
        # the steps that follow it; -1 if those have been taken.
        self._batch = self._epoch = (-1, -1)

    # During training

    def names(self, trainer: Trainer) -> frozenset[str]:
        """Return names of the metrics that the schedules follow."""
        nothing: frozenset[str] = frozenset()
        return self._try(lambda: frozenset(c.monitor for c in _followers(trainer)), nothing)

    def end_batch(self, trainer: Trainer) -> None:
        """Note that a training batch is over: schedules with interval "step" come next."""
        self._try(lambda: self._end_batch(trainer), None)

    def _end_batch(self, trainer: Trainer) -> None:
        if _followers(trainer):
            self._batch = (batch_progress(trainer).total.processed, _stepped(trainer))

    def end_epoch(self, trainer: Trainer) -> None:
        """Note that an epoch, even if resumed, is over: those with interval "epoch" come next."""
        self._try(lambda: self._end_epoch(trainer), None)

    def _end_epoch(self, trainer: Trainer) -> None:
        cut_short, self._cut_short = self._cut_short, False
        if not _followers(trainer):
            return
        self._settle(trainer)
        self._epoch = (epoch_progress(trainer).current.completed, _stepped(trainer))
        loop = trainer.fit_loop
        if loop._restarting and not cut_short and _have_values(trainer, "epoch"):
            # Lightning would skip them because of this flag, and no longer needs it otherwise.
            loop._restarting = False

    def cut_short(self) -> None:
        """Note that the next epoch to end was stopped midway, so that none are stepped then."""
        self._cut_short = True

    def _settle(self, trainer: Trainer) -> None:
        self._batch = (batch_progress(trainer).total.processed, -1)

    # On resume

    def put_back(self, trainer: Trainer) -> None:
        """Give the Trainer the metrics that they follow, until these are logged again."""
        self._try(lambda: self._put_back(trainer), None)

    def _put_back(self, trainer: Trainer) -> None:
        metrics = trainer.callback_metrics
        for name, value in (self._loaded or {"values": {}})["values"].items():
            if name not in metrics:
                metrics[name] = value.clone()
                mark_old(metrics[name])

    def step_late(self, trainer: Trainer) -> None:
        """Step those that were due at the checkpoint; then the next batch may begin."""
        loaded, self._loaded = self._loaded, None
        if self._try(lambda: self._is_due(trainer, loaded), False) and loaded is not None:
            _step(trainer, loaded)
        self._try(lambda: self._go_on(trainer, loaded), None)

    def _is_due(self, trainer: Trainer, loaded: PlateauState | None) -> bool:
        due = loaded is not None and loaded["due"] and loaded["stepped"] == _stepped(trainer)
        return bool(due) and loaded is not None and _have_values(trainer, loaded["due"])

    def _go_on(self, trainer: Trainer, loaded: PlateauState | None) -> None:
        if not _followers(trainer):
            return
        self._settle(trainer)
        loop = trainer.fit_loop.epoch_loop
        if loaded is not None and loop.restarted_on_last and is_due(trainer):
            # Lightning would return to that batch for its validation, which is over, and step them
            # afterwards.
            loop.reset_restart_stage()

    # In checkpoints

    def state(self, trainer: Trainer) -> PlateauState | None:
        """Return what a checkpoint needs; None without such schedules."""
        return self._try(lambda: self._state(trainer), self._loaded)

    def _state(self, trainer: Trainer) -> PlateauState | None:
        loaded, names = self._loaded, {config.monitor for config in _followers(trainer)}
        if not names:
            return loaded
        metrics = {n: v for n, v in trainer.callback_metrics.items() if n in names}
        values = {name: value.detach().cpu().clone() for name, value in metrics.items()}
        if loaded is not None:  # the steps due then have not been taken yet
            return {**loaded, "values": {**loaded["values"], **values}}
        return {
            "values": values,
            "stepped": _stepped(trainer),
            "due": self._due(trainer),
            "epoch": trainer.current_epoch,
        }

    def _due(self, trainer: Trainer) -> str:
        loop, epochs = trainer.fit_loop.epoch_loop, epoch_progress(trainer).current
        batches, stepped = batch_progress(trainer), _stepped(trainer)
        if epochs.started > epochs.processed:
            number, before = self._batch
            is_over = batches.current.ready == batches.current.processed
            # Saved in that batch's last hooks, before this callback's own or after it.
            waits = number < batches.total.processed or before == stepped
            return "step" if is_over and waits and not loop._should_accumulate() else ""
        in_end = epochs.processed > epochs.completed and loop._num_ready_batches_reached()
        return "epoch" if in_end and self._epoch == (epochs.completed, stepped) else ""

    def load_state(self, state: PlateauState | None) -> None:
        """Remember a checkpoint's state until training resumes."""
        self.clear()
        self._loaded = state

    def _try(self, part: Callable[[], T], otherwise: T) -> T:
        if self._failed:
            return otherwise
        with left_to_lightning("A schedule that follows a metric"):
            return part()
        self._failed = True
        return otherwise


def mark_old(value: Tensor) -> None:
    """Mark a metric's value as logged before the checkpoint."""
    value.of_checkpoint = True  # type: ignore[attr-defined]


def is_old(value: Tensor) -> bool:
    """Whether a value is so marked: it has not been logged since, whoever put it back."""
    return getattr(value, "of_checkpoint", False)


def _followers(trainer: Trainer) -> list[Any]:
    """Return configurations of the schedules that follow a metric, if Lightning steps them."""
    if not trainer.lightning_module.automatic_optimization:
        return []
    return [config for config in trainer.lr_scheduler_configs if config.reduce_on_plateau]


def _stepped(trainer: Trainer) -> int:
    return trainer.fit_loop.epoch_loop.scheduler_progress.total.completed


def _have_values(trainer: Trainer, interval: str) -> bool:
    """Whether there are such schedules, and Lightning will find the metrics that they follow."""
    found = [config for config in _followers(trainer) if config.interval == interval]
    metrics = trainer.callback_metrics
    return bool(found) and all(c.monitor in metrics or not c.strict for c in found)


def _step(trainer: Trainer, loaded: PlateauState) -> None:
    """Step them as Lightning does, with the epoch in which they were due."""
    epochs = epoch_progress(trainer).current
    now, epochs.completed = epochs.completed, loaded["epoch"]
    try:
        trainer.fit_loop.epoch_loop.update_lr_schedulers(
            loaded["due"], update_plateau_schedulers=True
        )
    finally:
        epochs.completed = now
