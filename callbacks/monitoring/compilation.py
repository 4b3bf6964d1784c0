"""Which networks hold compiled parts, and when tensors are none to be read."""

from collections.abc import Iterator

import torch
from torch import nn


def is_transformed() -> bool:
    """Whether what runs is being compiled, or is in `torch.func` or `torch.vmap`.

    There tensors stand for others, and nothing of them can be kept.
    """
    return torch.compiler.is_compiling() or torch._C._functorch.maybe_current_level() is not None


def has_compiled_parts(root: nn.Module) -> bool:
    """Whether a module, or a method of one, was given to `torch.compile` before training.

    A compiled function that is no attribute of a module is not found.
    """
    return any(_is_compiled(module) for module in root.modules())


def eager_parts(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """What `named_modules` gives, without compiled or scripted modules and what is in them."""
    compiled: list[str] = []
    for name, module in root.named_modules():
        if any(name.startswith(prefix) for prefix in compiled):
            continue
        if _is_compiled(module) or is_scripted(module):
            compiled.append(f"{name}." if name else "")
        else:
            yield name, module


def is_scripted(module: nn.Module) -> bool:
    """Whether a module is TorchScript, which runs no Python and takes no hooks."""
    return isinstance(module, torch.jit.ScriptModule)


def _is_compiled(module: nn.Module) -> bool:
    if (
        is_scripted(module)
        or hasattr(module, "_orig_mod")
        or module._compiled_call_impl is not None
    ):
        return True
    attributes = [*vars(module).values(), *vars(type(module)).values()]
    return any(callable(a) and hasattr(a, "_torchdynamo_orig_callable") for a in attributes)
