"""Averaged weights that Lightning's callback keeps and swaps in for validation.

A checkpoint saved during a validation has weights and average swapped: a resumed run would train
the average. One saved in the hooks after a batch may lack that batch's update of the average.
"""

from typing import Any, TypedDict

from lightning.pytorch import Trainer
from torch import Tensor

from ....functional.state_changes import same_bits
from ..other_hooks import averages, tensors
from ..tensors import is_plain
from .progress import batch_progress, left_to_lightning

# By name: Lightning's class exists twice, in lightning and in pytorch_lightning.
_UPDATES = "WeightAveraging.on_train_batch_end"


class OwnTensor(TypedDict):
    """One of the module's own tensors that differs from its average."""

    name: str
    value: Tensor


class AveragesState(TypedDict):
    """State of averages in a checkpoint: one of the module's tensors, if they are swapped out."""

    away: OwnTensor | None


class Averages:
    """Record in a checkpoint that weights are swapped, and swap them back when training resumes.

    One of the module's own tensors shows this, wherever in the validation an exception was raised
    and whichever callbacks have swapped back.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._loaded: AveragesState | None = None
        self._own: OwnTensor | None = None

    def begin_validation(self, trainer: Trainer) -> None:
        """Keep the smallest tensor that will show a swap, before there is any."""
        self._own = None
        for _, average in averages(trainer):
            averaged = dict(tensors(average))
            for name, value in sorted(tensors(trainer.lightning_module), key=_size):
                if name in averaged and _differ(averaged[name], value):
                    self._own = {"name": name, "value": value.detach().cpu().clone()}
                    return

    def end_validation(self) -> None:
        """Note that the module has its own weights again."""
        self._own = None

    def state(self, trainer: Trainer) -> AveragesState | None:
        """Return what a checkpoint needs; None without averages."""
        # In a validation that another EarlyStopping runs late, the loaded state is outdated.
        if not any(averages(trainer)) or (self._loaded is not None and self._own is None):
            return self._loaded
        return {"away": self._own if _is_away(trainer, self._own) else None}

    def load_state(self, state: AveragesState | None) -> None:
        """Remember a checkpoint's state until training resumes."""
        self.clear()
        self._loaded = state

    def put_back(self, trainer: Trainer) -> None:
        """Swap the weights back, and update the averages with the last step's."""
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        is_swapped = _is_away(trainer, loaded["away"])
        with left_to_lightning("An average of the weights"):
            for callback, _ in averages(trainer):
                if is_swapped:
                    callback._swap_models(trainer.lightning_module)
                _update_late(callback, trainer)


def _update_late(callback: Any, trainer: Trainer) -> None:
    """Update the average; the callback ignores a step that it has already seen."""
    if type(callback).on_train_batch_end.__qualname__ == _UPDATES:
        last = batch_progress(trainer).current.ready - 1
        callback.on_train_batch_end(trainer, trainer.lightning_module, None, None, last)


def _is_away(trainer: Trainer, own: OwnTensor | None) -> bool:
    if own is None:
        return False
    now = dict(tensors(trainer.lightning_module)).get(own["name"])
    return now is not None and _differ(now, own["value"])


def _differ(one: Tensor, other: Tensor) -> bool:
    """Whether two plain tensors differ; False for any others."""
    return is_plain(one) and is_plain(other) and not same_bits(one, other)


def _size(named: tuple[str, Tensor]) -> int:
    return named[1].numel()
