"""What the watched metrics have summed up over a training epoch, across an interruption.

Lightning forgets it: a mean over an epoch that is resumed would be that of the epoch's rest. There
is no public way to it, so that all that needs to know how Lightning keeps it is in this file.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypedDict, TypeVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from ...functional.metric_states import MetricState, metric_states, restore_metric_states_
from .progress import batch_progress

T = TypeVar("T")

_JOIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": torch.add,
    "sum": torch.add,
    "max": torch.maximum,
    "min": torch.minimum,
}


class EpochSum(TypedDict):
    """One logged metric's part of the epoch on one rank.

    Attributes:
        names: Those of its names that are watched.
        reduction: ``"mean"``, ``"sum"``, ``"max"`` or ``"min"`` of what was logged as a tensor.
        joined: Whether Lightning reduces it over the ranks.
        attribute: Where in the module a logged torchmetrics metric is; None for tensors.
        states: What is summed up, Lightning's own in a list of one.
    """

    names: list[str]
    reduction: str
    joined: bool
    attribute: str | None
    states: list[MetricState]


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
        self.clear()

    def clear(self) -> None:
        """Forget all sums."""
        self._loaded: dict[str, Any] | None = None
        self._pending: dict[str, EpochSum] = {}
        self._before: tuple[int, dict[str, EpochSum]] = (-1, {})
        self._over = self._failed = False

    # While training

    def begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the sums as they are, for a checkpoint by a batch that is not completed."""
        self._try(lambda: self._begin_batch(trainer, pl_module), None)

    def _begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._over = False
        done = batch_progress(trainer)
        if done.current.ready == 1:
            # Resumed a second time, Lightning may train the epoch again from its start.
            self._loaded = None
        self._take_up(trainer, pl_module)
        self._merge(trainer)
        self._before = (done.total.ready, self._sums(trainer))

    def end_batch(self, trainer: Trainer) -> None:
        """Add what the checkpoint has to what was logged again."""
        self._try(lambda: self._merge(trainer), None)

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
        self._over = True

    def _sums(self, trainer: Trainer) -> dict[str, EpochSum]:
        """This rank's sums over the epoch so far."""
        sums = dict(self._pending)
        for name, found in _logged(trainer, self.monitors).items():
            if name in sums and found["attribute"] is None:
                found["states"] = [_joined(sums[name], found)]
            sums[name] = found
        return sums

    def _merge(self, trainer: Trainer) -> None:
        if not self._pending:
            return
        for name in self._pending.keys() & _logged(trainer, self.monitors).keys():
            kept = self._pending.pop(name)
            if kept["attribute"] is None:
                _add(trainer, name, kept)

    # In checkpoints

    def state(self, trainer: Trainer) -> dict[str, Any] | None:
        """Every rank's sums over an unfinished epoch; a collective, as saving a checkpoint is.

        Not after an exception, which other ranks may not have seen.
        """
        if self._loaded is not None:
            return self._loaded
        nothing: dict[str, EpochSum] = {}
        rows = [self._try(lambda: self._to_save(trainer), nothing)]
        if (
            trainer.world_size > 1
            and torch.distributed.is_initialized()
            and not trainer.interrupted
        ):
            mine, rows = rows[0], [{} for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(rows, mine)
        return {"epoch": trainer.current_epoch, "rows": rows} if any(rows) else None

    def _to_save(self, trainer: Trainer) -> dict[str, EpochSum]:
        if self._over:
            return {}
        done = batch_progress(trainer)
        number, sums = self._before
        # The batch that is not processed is trained again, and logs again.
        if done.total.ready != number or done.current.ready == done.current.processed:
            sums = self._sums(trainer)
        return {name: {**kept, "states": _on_host(kept["states"])} for name, kept in sums.items()}

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Remember a checkpoint's sums until training goes on."""
        self.clear()
        self._loaded = state

    def _take_up(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None and loaded["epoch"] == trainer.current_epoch:
            self._pending = _own(trainer, loaded["rows"])
            for kept in self._pending.values():
                _restore(kept, pl_module)

    def _try(self, part: Callable[[], T], otherwise: T) -> T:
        if self._failed:
            return otherwise
        try:
            return part()
        except Exception as error:
            self.clear()
            self._failed = True
            rank_zero_warn(
                f"A mean over a training epoch of {', '.join(sorted(self.monitors))} that is "
                f"interrupted will be that of the epoch's rest: {type(error).__name__}: {error}"
            )
            return otherwise


def _logged(trainer: Trainer, monitors: frozenset[str]) -> dict[str, EpochSum]:
    """What Lightning has summed up of them, by its own names for it."""
    found: dict[str, EpochSum] = {}
    for name, result in trainer.fit_loop.epoch_loop._results.items():
        meta = result.meta
        names = sorted(monitors & {meta.name, meta.forked_name(on_step=False)})
        if names and meta.on_epoch and not result.has_reset:
            found[name] = {
                "names": names,
                "reduction": meta.reduce_fx.__name__,
                "joined": bool(meta.sync.should and not meta.sync.rank_zero_only),
                "attribute": meta.metric_attribute,
                # Lightning makes a new tensor for each sum: there is nothing to copy.
                "states": [{"updates": result.update_count, "values": dict(result.metric_state)}]
                if result.is_tensor
                else metric_states(result.value),
            }
    return found


def _add(trainer: Trainer, name: str, kept: EpochSum) -> None:
    result = trainer.fit_loop.epoch_loop._results[name]
    own: EpochSum = {
        **kept, "states": [{"updates": result.update_count, "values": result.metric_state}]
    }  # fmt: skip
    for state, value in _joined(kept, own)["values"].items():
        setattr(result, state, value)
    result._computed = None


def _joined(before: EpochSum, after: EpochSum) -> MetricState:
    """Lightning's own sums over two parts of the epoch."""
    join = _JOIN[after["reduction"]]
    (first,), (second,) = before["states"], after["states"]
    values = {
        name: join(first["values"][name].to(value.device), value)
        for name, value in second["values"].items()
    }
    return {"updates": first["updates"] + second["updates"], "values": values}


def _own(trainer: Trainer, rows: list[dict[str, EpochSum]]) -> dict[str, EpochSum]:
    if len(rows) == trainer.world_size:
        return dict(rows[trainer.global_rank])
    names = sorted({name for row in rows for kept in row.values() for name in kept["names"]})
    rank_zero_warn(
        f"The checkpoint has what {', '.join(names)} summed up on {len(rows)} of the ranks, of "
        f"which there are {trainer.world_size} now: over this epoch it is that of the rest. "
        "Resume on as many ranks, from a checkpoint that was not saved after an exception."
    )
    return {}


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


def _on_host(states: list[MetricState]) -> list[MetricState]:
    def host(value: Any) -> Any:
        return [v.cpu() for v in value] if isinstance(value, list) else value.detach().cpu()

    return [
        {**state, "values": {name: host(value) for name, value in state["values"].items()}}
        for state in states
    ]
