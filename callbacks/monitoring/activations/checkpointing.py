"""What activation checkpointing requires of a mode that stays entered while modules rerun."""

import inspect
import sys
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointFunction

_SIDE_EFFECTS = "skip_fwd_side_effects_in_bwd_under_checkpoint"


def is_plain_loss(
    tensor: Tensor, gradient: Tensor | None = None, *args: Any, inputs: Any = None, **kwargs: Any
) -> bool:
    """Whether `run_backward` can take the place of `torch.Tensor.backward`."""
    return (
        type(tensor) is Tensor
        and tensor.requires_grad
        and (gradient is not None or tensor.numel() == 1)
        and inputs is None
    )


def run_backward(
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: None = None,
) -> None:
    """Run the backward pass from the tensor's gradient edge.

    Given the tensor itself, torch would pass the call to the mode, which is off inside the call.
    """
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    gradient = torch.ones_like(tensor) if gradient is None else gradient
    torch.autograd.backward(edge, gradient, retain_graph, create_graph)


def in_reentrant_checkpoint() -> bool:
    """Whether gradients are off only because a reentrant checkpoint will recompute this."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is CheckpointFunction.forward.__code__:
            return any(frame.f_locals["ctx"].needs_input_grad)
        frame = frame.f_back
    return False


class SideEffects:
    """Let Dynamo record calls inside a checkpointed function, in its forward pass only.

    The setting stays until it is restored, not just for a step: changing Dynamo's configuration is
    slow. If several objects need it, only one of them sets it.
    """

    def __init__(self) -> None:
        self._patch: Any = None

    def allow(self) -> None:
        """Set it, if anything may be compiled and it is not set yet."""
        dynamo = sys.modules.get("torch._dynamo")
        if dynamo is not None and getattr(dynamo.config, _SIDE_EFFECTS, None) is False:
            self._patch = dynamo.config.patch({_SIDE_EFFECTS: True})
            self._patch.__enter__()

    def restore(self) -> None:
        """Restore the previous setting, if this object changed it."""
        patch, self._patch = self._patch, None
        if patch is not None:
            patch.__exit__(None, None, None)
