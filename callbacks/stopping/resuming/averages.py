"""Averaged weights, as Lightning's callback keeps them and swaps them in for validation.

A checkpoint that is saved within a validation has both in each other's place: a resumed run would
train the average. One that is saved in the hooks behind a batch may be without that batch's part.
"""

from typing import Any, TypedDict

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from ....functional.state_changes import same_bits
from ..other_hooks import averages, tensors
from .progress import batch_progress, warn_of_release

# By name: Lightning's class is there twice, in lightning and in pytorch_lightning.
_UPDATES = "WeightAveraging.on_train_batch_end"


class OwnTensor(TypedDict):
    """One of the module's own, that is another one in the average."""

    name: str
    value: Tensor


class AveragesState(TypedDict):
    """What a checkpoint of a run with averages has: something of the module's, if it is away."""

    away: OwnTensor | None


class Averages:
    """Tell a checkpoint that they are swapped, and put them right when training goes on.

    One of the module's own tensors tells, wherever in the validation an exception came, and
    whichever callback has swapped them back.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget it."""
        self._loaded: AveragesState | None = None
        self._own: OwnTensor | None = None

    def begin_validation(self, trainer: Trainer) -> None:
        """Keep the smallest that will tell; nothing is swapped yet."""
        self._own = None
        for _, average in averages(trainer):
            averaged = dict(tensors(average))
            for name, value in sorted(tensors(trainer.lightning_module), key=_size):
                if name in averaged and _differ(averaged[name], value):
                    self._own = {"name": name, "value": value.detach().cpu().clone()}
                    return

    def end_validation(self) -> None:
        """All is where it belongs."""
        self._own = None

    def state(self, trainer: Trainer) -> AveragesState | None:
        """None without averages."""
        # In a validation that another such callback runs late, what was loaded is of before.
        if not any(averages(trainer)) or (self._loaded is not None and self._own is None):
            return self._loaded
        return {"away": self._own if _is_away(trainer, self._own) else None}

    def load_state(self, state: AveragesState | None) -> None:
        """Remember a checkpoint's until training goes on."""
        self.clear()
        self._loaded = state

    def put_back(self, trainer: Trainer) -> None:
        """Swap them back, and have the last step's weights in them."""
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        is_swapped = _is_away(trainer, loaded["away"])
        try:
            for callback, _ in averages(trainer):
                if is_swapped:
                    callback._swap_models(trainer.lightning_module)
                _update_late(callback, trainer)
        except AttributeError as error:
            warn_of_release("An average of the weights", error)


def _update_late(callback: Any, trainer: Trainer) -> None:
    """It does nothing where it has seen that step."""
    if type(callback).on_train_batch_end.__qualname__ == _UPDATES:
        last = batch_progress(trainer).current.ready - 1
        callback.on_train_batch_end(trainer, trainer.lightning_module, None, None, last)


def _is_away(trainer: Trainer, own: OwnTensor | None) -> bool:
    if own is None:
        return False
    now = dict(tensors(trainer.lightning_module)).get(own["name"])
    return now is not None and _differ(now, own["value"])


def _differ(one: Tensor, other: Tensor) -> bool:
    """Not told of others than plain tensors."""
    return _is_plain(one) and _is_plain(other) and not same_bits(one, other)


def _is_plain(value: Tensor) -> bool:
    return type(value) in (Tensor, nn.Parameter) and value.layout == torch.strided


def _size(named: tuple[str, Tensor]) -> int:
    return named[1].numel()
