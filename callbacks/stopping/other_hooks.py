"""Effects of other callbacks' hooks, and of the module's, on the weights."""

from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from .helping_callbacks import callbacks_of

# Hooks called between a validation's batches and its check, and before a later check.
_BEFORE_CHECK = ("on_validation_epoch_end",)
_BEFORE_LATE_CHECK = (*_BEFORE_CHECK, "on_validation_end", "on_train_epoch_end")
_OF_CALLBACKS = {False: (*_BEFORE_CHECK, "on_validation_end"),
                 True: (*_BEFORE_LATE_CHECK, "on_train_batch_start")}  # fmt: skip
_OF_MODULE = {False: _BEFORE_CHECK, True: (*_BEFORE_LATE_CHECK, "on_validation_model_train")}
# Packages whose hooks are known, and their callbacks that do change weights there.
_KNOWN = {"lightning", "pytorch_lightning", "torchvitals"}
_CHANGING = ("WeightAveraging", "ModelPruning")


def may_change_weights(trainer: Trainer, pl_module: LightningModule, at_epoch_end: bool) -> bool:
    """Whether a hook may change the module's weights between a validation and its check.

    Weights swapped in for validation are swapped out there. Whether a hook does so shows only in
    its effect, when the validated weights are already gone, so any unknown hook is assumed to.

    Args:
        trainer: The Trainer.
        pl_module: Its module.
        at_epoch_end: Whether the check is at the end of the training epoch.
    """
    if any(_has_callback(trainer, name) for name in _CHANGING):
        return True
    return not all(_is_known(hook) for hook in _hooks(trainer, pl_module, at_epoch_end))


def _hooks(trainer: Trainer, pl_module: LightningModule, at_epoch_end: bool) -> Iterator[Any]:
    for callback in callbacks_of(trainer):
        for name in _OF_CALLBACKS[at_epoch_end]:
            yield getattr(callback, name, None)
    for name in _OF_MODULE[at_epoch_end]:
        yield getattr(pl_module, name, None)


def _is_known(hook: Any) -> bool:
    """Whether it is None, or its function was defined in Lightning or this package."""
    module = getattr(hook, "__module__", None) or ""
    return hook is None or module.partition(".")[0] in _KNOWN


def validates_averages(trainer: Trainer) -> bool:
    """Whether Lightning's callback swaps in averaged weights for validation."""
    return _has_callback(trainer, "WeightAveraging")


@torch.no_grad()
def fill_averages(trainer: Trainer, pl_module: LightningModule) -> None:
    """Copy the module's weights into the average of Lightning's callback.

    The callback swaps them in for every later validation and saves them in place of the module's.
    """
    for _, average in averages(trainer):
        targets = dict(tensors(average))
        for name, value in tensors(pl_module):
            target = targets.get(name)
            if target is not None and target.shape == value.shape:
                target.copy_(value)


def averages(trainer: Trainer) -> Iterator[tuple[Any, nn.Module]]:
    """Yield Lightning's callbacks that keep an average, each with the module that holds it."""
    for callback in callbacks_of(trainer):
        average = getattr(callback, "_average_model", None)
        if average is not None and _is_called(callback, "WeightAveraging"):
            yield callback, average.module


def tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield parameters and buffers, by name."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def ends_with_an_average(trainer: Trainer) -> bool:
    """Whether a callback puts averaged weights into the module at the end of training."""
    return bool(averages_at_end(trainer))


def averages_at_end(trainer: Trainer) -> list[Any]:
    """Return Lightning's callbacks that do so."""
    name = "StochasticWeightAveraging"
    return [callback for callback in callbacks_of(trainer) if _is_called(callback, name)]


def _has_callback(trainer: Trainer, name: str) -> bool:
    return any(_is_called(callback, name) for callback in callbacks_of(trainer))


def _is_called(callback: object, name: str) -> bool:
    # By name: the class may come from lightning or from pytorch_lightning.
    return any(base.__name__ == name for base in type(callback).__mro__)
