"""Which networks hold compiled parts, what runs in them, and when tensors are none to be read."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx, nn

# Where a graph is called from: code that torch.fx made of it, or, for a part of it, node by node.
_GRAPH_CODE = ("<eval_with_key>", fx.interpreter.__file__)


def is_transformed() -> bool:
    """Whether what runs is being compiled, or is in `torch.func` or `torch.vmap`.

    There tensors stand for others, and nothing of them can be kept.
    """
    return torch.compiler.is_compiling() or torch._C._functorch.maybe_current_level() is not None


def runs_in_graph_of_dynamo(callers: frozenset[str]) -> bool:
    """Whether the function that is running was called by the graph of a compiled region.

    The backends that are for debugging (``eager``) run it as Python that calls torch's functions.
    What is called from anywhere else is known by its first frames.

    Args:
        callers: Files whose frames lie between the graph and this one.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename in callers:
        frame = frame.f_back
    if not frame.f_code.co_filename.startswith(_GRAPH_CODE):
        return False
    # Only the whole graph is marked as one that was compiled.
    while frame.f_back is not None:
        is_graph = frame.f_code.co_filename.startswith(_GRAPH_CODE)
        if is_graph and "backend_id" in getattr(frame.f_locals.get("self"), "meta", ()):
            return True
        frame = frame.f_back
    return False


def leave_out_of_dynamo(function: Callable[..., Any]) -> None:
    """Have Dynamo compile no call of a function that is not inside of what it compiles anyway.

    What a compiled region does around its graph, as making a tensor of a number that it is given,
    comes by a mode as well, and would need a graph for each such number. A release of torch that
    has no such way makes these graphs.
    """
    try:
        dynamo = torch._C._dynamo.eval_frame
        skip = dynamo._FrameAction.SKIP
        dynamo.set_code_exec_strategy(function.__code__, dynamo._FrameExecStrategy(skip, skip))
    except AttributeError:
        pass


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
