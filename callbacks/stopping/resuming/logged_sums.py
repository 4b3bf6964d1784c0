"""How Lightning stores what is logged over a training epoch.

There is no public API for it, so everything that depends on it is in this file.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from ....functional.metric_states import MetricState, metric_states

_JOIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": torch.add,
    "sum": torch.add,
    "max": torch.maximum,
    "min": torch.minimum,
}


class EpochSum(TypedDict):
    """One logged metric's sums over a part of the epoch on one rank.

    Attributes:
        names: Those of its names that are monitored.
        reduction: ``"mean"``, ``"sum"``, ``"max"`` or ``"min"`` of what was logged as a tensor.
        joined: Whether Lightning reduces it over ranks.
        attribute: Path of a logged torchmetrics metric in the module; None for tensors.
        states: Its running sums; Lightning's own as a list of one.
    """

    names: list[str]
    reduction: str
    joined: bool
    attribute: str | None
    states: list[MetricState]


def logged_last(trainer: Trainer, monitors: frozenset[str]) -> dict[str, list[str]]:
    """Return those ever logged in a batch's last hook, which follows that of most callbacks."""
    results = trainer.fit_loop.epoch_loop._results.items()
    return {
        name: names
        for name, result in results
        if result.meta.fx == "on_train_batch_end" and (names := _watched(result, monitors))
    }


def logged_with_batches(trainer: Trainer, monitors: frozenset[str]) -> bool:
    """Whether any of them was ever logged with training batches, not only at an epoch's end."""
    results = trainer.fit_loop.epoch_loop._results.values()
    return any(r.meta.fx != "on_train_epoch_end" and _watched(r, monitors) for r in results)


def are_logged_elsewhere(trainer: Trainer, monitors: frozenset[str]) -> bool:
    """Whether all of them were ever logged in validation or at the end of a training epoch."""
    results = trainer.fit_loop.epoch_loop._results.values()
    ends = [r for r in results if r.meta.fx == "on_train_epoch_end"]
    names = logged_in_validation(trainer)
    return monitors <= names.union(*(_watched(result, monitors) for result in ends))


def logged_in_validation(trainer: Trainer) -> set[str]:
    """Return the names under which anything was ever logged in the validation of a fit.

    Empty in a release of Lightning that stores them elsewhere.
    """
    try:
        found = trainer.fit_loop.epoch_loop.val_loop._results
        return {name for r in found.values() for name in found._forked_name(r, on_step=False)}
    except AttributeError:
        return set()


def _watched(result: Any, monitors: frozenset[str]) -> list[str]:
    meta = result.meta
    names = monitors & {meta.name, meta.forked_name(on_step=False)}
    return sorted(names) if meta.on_epoch else []


def logged(trainer: Trainer, monitors: frozenset[str]) -> dict[str, EpochSum]:
    """Return Lightning's sums of the monitors, by its own names for them."""
    found: dict[str, EpochSum] = {}
    for name, result in trainer.fit_loop.epoch_loop._results.items():
        meta = result.meta
        names = _watched(result, monitors)
        if names and not result.has_reset:
            found[name] = {
                "names": names,
                "reduction": meta.reduce_fx.__name__,
                "joined": bool(meta.sync.should and not meta.sync.rank_zero_only),
                "attribute": meta.metric_attribute,
                # Lightning makes a new tensor for each sum, so there is no need to copy.
                "states": [{"updates": result.update_count, "values": dict(result.metric_state)}]
                if result.is_tensor
                else metric_states(result.value),
            }
    return found


def add(trainer: Trainer, name: str, kept: EpochSum) -> None:
    """Add sums over the epoch's first part to those that Lightning has of the rest.

    Only once if several callbacks monitor it, since each has them from the checkpoint.
    """
    result = trainer.fit_loop.epoch_loop._results[name]
    if getattr(result, "joined", None) is result.value:
        return
    own: EpochSum = {
        **kept, "states": [{"updates": result.update_count, "values": result.metric_state}]
    }  # fmt: skip
    for state, value in joined(kept, own)["values"].items():
        setattr(result, state, value)
    result.joined, result._computed = result.value, None


def joined(before: EpochSum, after: EpochSum) -> MetricState:
    """Combine Lightning's own sums over two parts of the epoch."""
    join = _JOIN[after["reduction"]]
    (first,), (second,) = before["states"], after["states"]
    values = {
        name: join(first["values"][name].to(value.device), value)
        for name, value in second["values"].items()
    }
    return {"updates": first["updates"] + second["updates"], "values": values}


def on_host(sums: Mapping[str, EpochSum]) -> dict[str, EpochSum]:
    """Return the sums in host memory."""

    def host(value: Any) -> Any:
        return [v.cpu() for v in value] if isinstance(value, list) else value.detach().cpu()

    def hosted(state: MetricState) -> MetricState:
        return {**state, "values": {name: host(v) for name, v in state["values"].items()}}

    return {name: {**kept, "states": [*map(hosted, kept["states"])]} for name, kept in sums.items()}
