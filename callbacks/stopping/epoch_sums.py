"""What the watched metrics have summed up over a training epoch, across an interruption.

Lightning forgets it: a mean over an epoch that is resumed would be that of the epoch's rest.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from ...functional.metric_states import restore_metric_states_
from .logged_sums import EpochSum, add, joined, logged, logged_last, on_host
from .lost_parts import warn_of_behind, warn_of_lost, warn_of_ranks, warn_of_skipped
from .missed_batch_end import Call, Offer, OwnHook, calls_of_all, why_not
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
        self.monitors = frozenset(monitors)
        self._ranks = RankSums(self.monitors)
        self.own_hook = OwnHook()
        self.clear()

    def clear(self) -> None:
        """Forget all sums."""
        self._ranks.clear()
        self.own_hook.clear()
        self._forget()

    def _forget(self) -> None:
        self._loaded: dict[str, Any] | None = None
        self._pending: dict[str, EpochSum] = {}
        self._before: tuple[int, dict[str, EpochSum]] = (-1, {})
        self._over = self._failed = False
        # What need not be there at the end of this epoch.
        self.unknown: frozenset[str] = frozenset()

    # While training

    def begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the sums as they are, for a checkpoint by a batch that is not completed."""
        self.own_hook.drop()
        self._try(lambda: self._begin_batch(trainer, pl_module), None)
        self._tell(trainer, begins=True)

    def _begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._over = False
        done = batch_progress(trainer)
        if done.current.ready == 1:
            # Resumed a second time, Lightning may train the epoch again from its start.
            self._loaded = None
        self._take_up(trainer, pl_module)
        self._merge(trainer)
        self._before = (done.total.ready, self._sums(trainer))

    def end_batch(self, trainer: Trainer, arguments: tuple[Any, Any, int]) -> None:
        """Add what the checkpoint has to what was logged again.

        Args:
            trainer: The Trainer.
            arguments: Those of ``on_train_batch_end``, which the module's own has yet to get.
        """
        self._try(lambda: self._merge(trainer), None)
        self._try(lambda: self.own_hook.keep(trainer, self.monitors, arguments), None)
        self._tell(trainer, begins=False)

    def _tell(self, trainer: Trainer, begins: bool) -> None:
        """Tell the first rank; what fails on this one must not keep the others waiting."""
        if not self._ranks.is_due(trainer, begins):
            return
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

    def _sums(self, trainer: Trainer, before: Sums | None = None) -> dict[str, EpochSum]:
        """This rank's sums over the epoch so far."""
        sums = dict(self._pending if before is None else before)
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
        call, offer = self.own_hook.offer(trainer, self._try(lambda: self._skipped(trainer), []))
        rows, behind, offers = self._exchange(trainer, own, offer)
        lost = _names(kept for name, kept in own.items() if not any(name in row for row in rows))
        calls = calls_of_all(trainer, call, offers)
        skipped = sorted({name for one in offers for name in one["skipped"]})
        if not any(rows) and not lost and not skipped and not calls:
            return None
        found = {"rows": rows, "lost": lost, "behind": behind, "skipped": skipped}
        why = why_not(trainer, offers) if skipped and not calls else ""
        at = {"epoch": trainer.current_epoch, "batch": batch_progress(trainer).total.ready}
        return {**at, **found, "calls": calls, "why": why}

    def _exchange(
        self, trainer: Trainer, own: Sums, offer: Offer
    ) -> tuple[list[Sums], list[str], list[Offer]]:
        """Every rank's, and the names of what is one batch behind on the others."""
        behind: list[str] = []
        rows: list[Sums] = [{} for _ in range(trainer.world_size)]
        if trainer.world_size > 1 and trainer.interrupted:
            known = self._try(lambda: self._ranks.rows(trainer, own), (rows, behind))
            return *known, [offer]
        if trainer.world_size == 1 or not torch.distributed.is_initialized():
            return [own], behind, [offer]
        found = _over_ranks(trainer, (own, offer))
        return [row for row, _ in found], behind, [one for _, one in found]

    def _skipped(self, trainer: Trainer) -> list[str]:
        """What has yet to be logged in this batch's last hook, which is not called on resume."""
        done = batch_progress(trainer).current
        if self._over or done.processed == done.completed:
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

    def take_call(self, trainer: Trainer) -> Call | None:
        """The call that the checkpoint has for this rank, which from now on has none."""
        loaded = self._loaded or {}
        calls: list[Call] | None = loaded.get("calls")
        if not calls or not self._goes_on(trainer, loaded):
            return None
        loaded.update(calls=None, why="it did not come to its end")
        return calls[trainer.global_rank]

    def _goes_on(self, trainer: Trainer, loaded: dict[str, Any]) -> bool:
        """Whether training goes on from that batch, on as many ranks."""
        place = trainer.current_epoch, batch_progress(trainer).total.ready
        same = (loaded["epoch"], loaded.get("batch")) == place
        return same and len(loaded["rows"]) == trainer.world_size

    def complete(self, trainer: Trainer, failure: str) -> None:
        """Take up what it logged, unless it failed; a collective."""
        loaded = self._loaded
        if loaded is None or not self._goes_on(trainer, loaded):
            return
        row = loaded["rows"][trainer.global_rank]
        own = self._try(lambda: on_host(self._sums(trainer, row)), row)
        found = _over_ranks(trainer, (own, failure))
        failures = [one for _, one in found if one]
        if failures:
            loaded["why"] = failures[0]
        else:
            loaded.update(rows=[own for own, _ in found], skipped=[])

    def _take_up(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None and loaded["epoch"] == trainer.current_epoch:
            rows = loaded["rows"]
            warn_of_lost(lost := loaded.get("lost", []))
            warn_of_behind(loaded.get("behind", []))
            warn_of_skipped(loaded.get("skipped", []), loaded.get("why", ""))
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


def _over_ranks(trainer: Trainer, own: T) -> list[T]:
    found = [own] * trainer.world_size
    if trainer.world_size > 1:
        torch.distributed.all_gather_object(found, own)
    return found


def _own(trainer: Trainer, rows: list[dict[str, EpochSum]]) -> dict[str, EpochSum]:
    if len(rows) == trainer.world_size:
        return dict(rows[trainer.global_rank])
    names = _names(kept for row in rows for kept in row.values())
    warn_of_ranks(names, len(rows), trainer.world_size)
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
