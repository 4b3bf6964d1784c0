"""Running sums of the monitored metrics over a training epoch, across an interruption.

Lightning loses them: a mean over a resumed epoch would cover only the rest of that epoch.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from ....functional.metric_states import restore_metric_states_
from .logged_sums import EpochSum, add, joined, logged, logged_last, on_host
from .progress import batch_progress
from .rank_sums import RankSums, Sums, Told
from .told_bytes import tell

T = TypeVar("T")


class EpochSums:
    """Keep the sums for checkpoints, and return them to Lightning when the epoch is resumed.

    Lightning's sums start from zero at a resumed batch, as at the first of an epoch; those of the
    checkpoint are added once the metric has been logged again. If anything is unexpected, there is
    a warning and the mean covers only the rest of the epoch.

    Args:
        monitors: Names of the monitored metrics.
    """

    def __init__(self, monitors: Iterable[str]) -> None:
        self.monitors = self._own = frozenset(monitors)
        self._ranks = RankSums(self.monitors)
        self.clear()

    def add_names(self, names: frozenset[str]) -> None:
        """Keep the sums of these metrics as well, from the start of training."""
        self.monitors = self._ranks.monitors = self._own | names

    def clear(self) -> None:
        """Forget all sums."""
        self._ranks.clear()
        self._forget()

    def _forget(self) -> None:
        self._loaded: dict[str, Any] | None = None
        self._pending: dict[str, EpochSum] = {}
        self._before: tuple[int, dict[str, EpochSum]] = (-1, {})
        self._over = self._failed = False
        # Metrics that may be missing at the end of this epoch.
        self.unknown: frozenset[str] = frozenset()

    # During training

    def begin_epoch(self) -> None:
        """Drop loaded sums: the epoch is trained from its start, as may be on a second resume."""
        self._loaded, self._over = None, False

    def begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the current sums, for a checkpoint saved before the batch is completed."""
        self._try(lambda: self._begin_batch(trainer, pl_module), None)

    def _begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._over = False
        self._take_up(trainer, pl_module)
        self._merge(trainer)
        self._before = (batch_progress(trainer).total.ready, self._sums(trainer))

    def end_batch(self, trainer: Trainer) -> None:
        """Add the checkpoint's sums to those of metrics that were logged again."""
        self._try(lambda: self._merge(trainer), None)

    def tell(self, trainer: Trainer, begins: bool) -> None:
        """Exchange what the ranks logged; on all of them or on none.

        Args:
            trainer: The Trainer.
            begins: Whether a batch begins, rather than its step being done.
        """
        if not self._ranks.is_due(trainer, begins):
            return
        # A failure on this rank must not keep the others waiting.
        self._try(lambda: self._merge(trainer), None)
        sums: dict[str, EpochSum] = self._try(lambda: self._sums(trainer), {})
        failed = (Told.FAILED, b"")
        flags, told = self._try(lambda: self._ranks.message(trainer, sums), failed)
        united, messages = tell(trainer, flags, told)
        self._ranks.agree(trainer, united)
        self._try(lambda: self._ranks.take(sums, messages), None)

    def end_epoch(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Merge the last sums, and return values of metrics that were not logged again, by name."""
        return self._try(lambda: self._end_epoch(trainer, pl_module), {})

    def _end_epoch(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        self._take_up(trainer, pl_module)
        self._merge(trainer)
        pending, self._pending = self._pending, {}
        values = _values(pending, trainer, pl_module)
        # Other callbacks look for logged values here.
        trainer.callback_metrics.update({name: torch.tensor(v) for name, v in values.items()})
        return values

    def close(self) -> None:
        """Note that the epoch has been checked: there is nothing to keep until the next one."""
        self._over, self.unknown = True, frozenset()

    def _sums(self, trainer: Trainer) -> dict[str, EpochSum]:
        """This rank's sums over the epoch so far."""
        sums = dict(self._pending)
        for name, found in logged(trainer, self.monitors).items():
            if name in sums and found["attribute"] is None:
                found["states"] = [joined(sums[name], found)]
            sums[name] = found
        return sums

    def _merge(self, trainer: Trainer) -> None:
        if not self._pending:
            return
        for name in self._pending.keys() & logged(trainer, self.monitors).keys():
            kept = self._pending.pop(name)
            if kept["attribute"] is None:
                add(trainer, name, kept)

    # In checkpoints

    def state(self, trainer: Trainer) -> dict[str, Any] | None:
        """Return every rank's sums over an unfinished epoch; a collective, like saving itself.

        Not after an exception, which other ranks may not have raised.
        """
        if self._loaded is not None:
            return self._loaded
        nothing: dict[str, EpochSum] = {}
        own = self._try(lambda: self._to_save(trainer), nothing)
        rows, behind = self._rows(trainer, own)
        lost = _names(kept for name, kept in own.items() if not any(name in row for row in rows))
        skipped: list[str] = self._try(lambda: self._skipped(trainer), [])
        if not any(rows) and not lost and not skipped:
            return None
        found = {"rows": rows, "lost": lost, "behind": behind, "skipped": skipped}
        return {"epoch": trainer.current_epoch, **found}

    def _rows(self, trainer: Trainer, own: Sums) -> tuple[list[Sums], list[str]]:
        """Return every rank's sums, and names of those one batch behind on other ranks."""
        behind: list[str] = []
        rows: list[Sums] = [{} for _ in range(trainer.world_size)]
        if trainer.world_size > 1 and trainer.interrupted:
            return self._try(lambda: self._ranks.rows(trainer, own), (rows, behind))
        if trainer.world_size == 1 or not torch.distributed.is_initialized():
            return [own], behind
        torch.distributed.all_gather_object(rows, own)
        return rows, behind

    def _skipped(self, trainer: Trainer) -> list[str]:
        """Return names still to be logged in this batch's last hook, not called on resume."""
        if self._over or not _in_hooks(trainer):
            return []
        before, now = _updates(self._before[1]), _updates(logged(trainer, self.monitors))
        late = logged_last(trainer, self.monitors).items()
        return sorted({n for key, names in late if before.get(key) == now.get(key) for n in names})

    def _to_save(self, trainer: Trainer) -> dict[str, EpochSum]:
        if self._over:
            return {}
        done = batch_progress(trainer)
        number, sums = self._before
        # A batch that is not processed is trained and logged again.
        if done.total.ready != number or done.current.ready == done.current.processed:
            sums = self._sums(trainer)
        return on_host(sums)

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Remember a checkpoint's sums until training resumes."""
        self.clear()
        self._loaded = state

    def _take_up(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None and loaded["epoch"] == trainer.current_epoch:
            rows = loaded["rows"]
            _warn_of_lost(lost := loaded.get("lost", []))
            _warn_of_behind(loaded.get("behind", []))
            _warn_of_skipped(loaded.get("skipped", []))
            self._pending = _own(trainer, rows)
            self._ranks.resume(trainer, rows)
            missing = {*lost, *_names(kept for row in rows for kept in row.values())}
            self.unknown |= missing - set(_names(self._pending.values()))
            for kept in self._pending.values():
                _restore(kept, pl_module)

    def _try(self, part: Callable[[], T], otherwise: T) -> T:
        if self._failed:
            return otherwise
        try:
            return part()
        except Exception as error:
            self._forget()
            self._failed, self.unknown = True, self.monitors
            rank_zero_warn(
                f"If a training epoch is interrupted, means of {', '.join(sorted(self.monitors))} "
                f"will cover only the rest of the epoch: {type(error).__name__}: {error}"
            )
            return otherwise


def _in_hooks(trainer: Trainer) -> bool:
    """Whether a batch has been trained, but its last hooks are still to be called or running."""
    done = batch_progress(trainer).current
    return bool(done.processed != done.completed)


def _warn_of_lost(names: list[str]) -> None:
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will cover only its rest: the "
            "checkpoint was saved after an exception, when sums could not be gathered from the "
            "other ranks, which had not sent them before. They do so after each batch if a "
            "callback or the data module has an `on_exception`: save there, as "
            "`OnExceptionCheckpoint` does."
        )


def _warn_of_behind(names: list[str]) -> None:
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will lack what the other ranks "
            "logged with the last batch: the exception was raised before they could send it. Place "
            "EarlyStopping before the callbacks that may fail, if it was one of them."
        )


def _warn_of_skipped(names: list[str]) -> None:
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will lack the batch after which "
            "the checkpoint was saved: it is logged in an `on_train_batch_end` that had not been "
            "called yet, and that is not called on resume. Log it in `training_step`."
        )


def _own(trainer: Trainer, rows: list[dict[str, EpochSum]]) -> dict[str, EpochSum]:
    if len(rows) == trainer.world_size:
        return dict(rows[trainer.global_rank])
    names = _names(kept for row in rows for kept in row.values())
    rank_zero_warn(
        f"The checkpoint has the sums of {', '.join(names)} on {len(rows)} ranks, but there are "
        f"{trainer.world_size} now: over this epoch they will cover only its rest. Resume on the "
        "same number of ranks."
    )
    return {}


def _updates(sums: dict[str, EpochSum]) -> dict[str, list[int]]:
    return {key: [state["updates"] for state in kept["states"]] for key, kept in sums.items()}


def _names(sums: Iterable[EpochSum]) -> list[str]:
    return sorted({name for kept in sums for name in kept["names"]})


def _restore(kept: EpochSum, pl_module: LightningModule) -> None:
    if kept["attribute"] is not None:
        restore_metric_states_(pl_module.get_submodule(kept["attribute"]), kept["states"])


def _values(
    sums: dict[str, EpochSum], trainer: Trainer, pl_module: LightningModule
) -> dict[str, float]:
    """Return what Lightning would for an epoch that ended with these sums; a collective."""
    values = {}
    for kept in sums.values():
        if kept["attribute"] is None:
            value = _reduced(kept, trainer)
        else:
            _restore(kept, pl_module)
            metric: Any = pl_module.get_submodule(kept["attribute"])
            value = metric.compute()
            metric.reset()
        values.update(dict.fromkeys(kept["names"], float(value)))
    return values


def _reduced(kept: EpochSum, trainer: Trainer) -> Tensor:
    device, op = trainer.strategy.root_device, kept["reduction"]
    states = {
        name: value.to(device, copy=True) for name, value in kept["states"][0]["values"].items()
    }
    if kept["joined"]:
        # Including the number of samples, to round as Lightning rounds its mean.
        states = {name: trainer.strategy.reduce(v, reduce_op=op) for name, v in states.items()}
    total: Tensor = states["value"]
    return total / states["cumulated_batch_size"] if op == "mean" else total
