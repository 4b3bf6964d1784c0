"""Hooks that are called from what is compiled, and are not compiled themselves."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def uncompiled(hook: Callable[P, T]) -> Callable[P, T]:
    """Have Dynamo run a hook as it stands.

    A step by hand that is compiled as a whole calls hooks within its backward pass and its
    optimiser's step. What they do with modes, graphs and other hooks Dynamo cannot trace: it ends
    the training with an error of its own.
    """
    disabled: Callable[P, T] = torch.compiler.disable(hook)  # type: ignore[no-untyped-call]
    return disabled
