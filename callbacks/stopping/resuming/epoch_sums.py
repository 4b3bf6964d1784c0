"""What the watched metrics have summed up over a training epoch, across an interruption.

Lightning forgets it: a mean over an epoch that is resumed would be that of the epoch's rest.
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
    """Keep the sums for checkpoints, and give them back to Lightning when the epoch goes on.

    A resumed batch is summed up from nothing, as the first of an epoch is; what the checkpoint
    has is added once the metric was logged again. Where anything is not as expected, it warns and
    the mean is that of the epoch's rest.

    Args:
        monitors: Names of the watched metrics.
    """

    def __init__(self, monitors: Iterable[str]) -> None:
        self.monitors = self._own = frozenset(monitors)
        self._ranks = RankSums(self.monitors)
        self.clear()

    def add_names(self, names: frozenset[str]) -> None:
        """Keep what these have summed up, too, from the start of training on."""
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
        # What need not be there at the end of this epoch.
        self.unknown: frozenset[str] = frozenset()

    # While training

    def begin_epoch(self) -> None:
        """It is trained from its start: resumed a second time, Lightning may do so again."""
        self._loaded, self._over = None, False

    def begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the sums as they are, for a checkpoint by a batch that is not completed."""
        self._try(lambda: self._begin_batch(trainer, pl_module), None)

    def _begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._over = False
        self._take_up(trainer, pl_module)
        self._merge(trainer)
        self._before = (batch_progress(trainer).total.ready, self._sums(trainer))

    def end_batch(self, trainer: Trainer) -> None:
        """Add what the checkpoint has to what was logged again."""
        self._try(lambda: self._merge(trainer), None)

    def tell(self, trainer: Trainer, begins: bool) -> None:
        """Have the ranks tell what they logged, on all of them or on none.

        Args:
            trainer: The Trainer.
            begins: Whether a batch begins, or its step is done.
        """
        if not self._ranks.is_due(trainer, begins):
            return
        # What fails on this one must not keep the others waiting.
        self._try(lambda: self._merge(trainer), None)
        sums: dict[str, EpochSum] = self._try(lambda: self._sums(trainer), {})
        failed = (Told.FAILED, b"")
        flags, told = self._try(lambda: self._ranks.message(trainer, sums), failed)
        united, messages = tell(trainer, flags, told)
        self._ranks.agree(trainer, united)
        self._try(lambda: self._ranks.take(sums, messages), None)

    def end_epoch(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Add it at the last moment; values of what was not logged again, by their names."""
        return self._try(lambda: self._end_epoch(trainer, pl_module), {})

    def _end_epoch(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        self._take_up(trainer, pl_module)
        self._merge(trainer)
        pending, self._pending = self._pending, {}
        values = _values(pending, trainer, pl_module)
        # Where other callbacks look for what is logged.
        trainer.callback_metrics.update({name: torch.tensor(v) for name, v in values.items()})
        return values

    def close(self) -> None:
        """The epoch was checked: there is nothing to keep until the next one."""
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
        """Every rank's sums over an unfinished epoch; a collective, as saving a checkpoint is.

        Not after an exception, which other ranks may not have seen.
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
        """Every rank's, and the names of what is one batch behind on the others."""
        behind: list[str] = []
        rows: list[Sums] = [{} for _ in range(trainer.world_size)]
        if trainer.world_size > 1 and trainer.interrupted:
            return self._try(lambda: self._ranks.rows(trainer, own), (rows, behind))
        if trainer.world_size == 1 or not torch.distributed.is_initialized():
            return [own], behind
        torch.distributed.all_gather_object(rows, own)
        return rows, behind

    def _skipped(self, trainer: Trainer) -> list[str]:
        """What has yet to be logged in this batch's last hook, which is not called on resume."""
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
        # The batch that is not processed is trained again, and logs again.
        if done.total.ready != number or done.current.ready == done.current.processed:
            sums = self._sums(trainer)
        return on_host(sums)

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Remember a checkpoint's sums until training goes on."""
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
                f"A mean over a training epoch of {', '.join(sorted(self.monitors))} that is "
                f"interrupted will be that of the epoch's rest: {type(error).__name__}: {error}"
            )
            return otherwise


def _in_hooks(trainer: Trainer) -> bool:
    """Whether a batch is trained, but its last hooks are not called yet, or are being called."""
    done = batch_progress(trainer).current
    return bool(done.processed != done.completed)


def _warn_of_lost(names: list[str]) -> None:
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will be that of its rest: the "
            "checkpoint was saved after an exception, when the other ranks could not be asked, and "
            "they had not told before. They do after each batch where a callback or the data "
            "module has an `on_exception`: save there, as `OnExceptionCheckpoint` does."
        )


def _warn_of_behind(names: list[str]) -> None:
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will be without what the other "
            "ranks logged with the last batch: the exception came before they could tell. Place "
            "EarlyStopping before the callbacks that may fail, if it was one of them."
        )


def _warn_of_skipped(names: list[str]) -> None:
    if names:
        rank_zero_warn(
            f"Over the epoch that is resumed, {', '.join(names)} will be without the batch after "
            "which the checkpoint was saved: it is logged in an `on_train_batch_end` that was not "
            "called yet, and that is not called on resume. Log it in `training_step`."
        )


def _own(trainer: Trainer, rows: list[dict[str, EpochSum]]) -> dict[str, EpochSum]:
    if len(rows) == trainer.world_size:
        return dict(rows[trainer.global_rank])
    names = _names(kept for row in rows for kept in row.values())
    rank_zero_warn(
        f"The checkpoint has what {', '.join(names)} summed up on {len(rows)} of the ranks, of "
        f"which there are {trainer.world_size} now: over this epoch it is that of the rest. "
        "Resume on as many ranks."
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
    """What Lightning would have given for an epoch that ended with these sums; a collective."""
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
        # The number of samples as well: rounded as Lightning rounds its mean.
        states = {name: trainer.strategy.reduce(v, reduce_op=op) for name, v in states.items()}
    total: Tensor = states["value"]
    return total / states["cumulated_batch_size"] if op == "mean" else total
