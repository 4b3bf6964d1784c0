"""Hooks that are called from compiled code but are not compiled themselves."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def uncompiled(hook: Callable[P, T]) -> Callable[P, T]:
    """Keep Dynamo from compiling a hook.

    A training step under manual optimisation that is compiled as a whole calls hooks within its
    backward pass and its optimiser step. Dynamo cannot trace what they do with modes, graphs and
    other hooks, and would stop the training with an error.
    """
    disabled: Callable[P, T] = torch.compiler.disable(hook)  # type: ignore[no-untyped-call]
    return disabled
