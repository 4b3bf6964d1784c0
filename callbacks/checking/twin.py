"""A copy of a module that shares nothing with it."""

import copy
from collections.abc import Sequence
from functools import partial
from types import MethodType
from typing import Any

from lightning.pytorch import Callback, LightningModule
from torch import nn
from torch._dynamo import OptimizedModule

_COMPILED = ("forward", "training_step", "validation_step", "test_step", "predict_step")


def make_twin(
    model: LightningModule, callbacks: Sequence[Callback] = ()
) -> tuple[LightningModule, list[Callback]]:
    """Make deep copies of a module and of callbacks that may refer to it.

    A Trainer or Fabric that the module is attached to is not copied; the copy is attached to none.
    A module that is compiled as a whole is copied uncompiled.

    Args:
        model: A module, or one compiled by `torch.compile`.
        callbacks: Callbacks.

    Returns:
        The copies of the module and of the callbacks.

    Raises:
        TypeError: If something in it cannot be copied; the message names it.
    """
    module: Any = model._orig_mod if isinstance(model, OptimizedModule) else model
    memo: dict[int, Any] = {}
    for part in module.modules():
        for name in ("_trainer", "_fabric", "_compiler_ctx"):
            if part.__dict__.get(name) is not None:
                memo[id(part.__dict__[name])] = None
    try:
        twin, copies = copy.deepcopy((module, list(callbacks)), memo)
    except Exception as error:
        raise TypeError(
            f"Expected a module that can be copied, but {_culprit(module)} cannot be: {error} "
            "Leave it out of the module's state (`__getstate__`), or create it where it is used."
        ) from error
    _bind(module, twin, memo)
    return twin, copies


def _bind(module: LightningModule, twin: LightningModule, memo: dict[int, Any]) -> None:
    """Remove compiled methods from the copy, and bind the module's replaced methods to it."""
    if module.__dict__.get("_compiler_ctx") is not None:
        for name in _COMPILED:
            twin.__dict__.pop(name, None)
    for part in twin.modules():
        part._compiled_call_impl = None
    for name, method in module.__dict__.items():
        # LightningCLI's `configure_optimizers`: deepcopy does not look into a method's function.
        if isinstance(method, MethodType) and isinstance(method.__func__, partial):
            twin.__dict__[name] = MethodType(copy.deepcopy(method.__func__, memo), twin)


def _culprit(module: nn.Module) -> str:
    for name, part in module.named_modules():
        for attribute, value in vars(part).items():
            if attribute in ("_modules", "_trainer"):
                continue
            try:
                copy.deepcopy(value)
            except Exception:
                return f"`{'.'.join(filter(None, (name, attribute)))}` ({type(value).__name__})"
    return f"`{type(module).__name__}`"
