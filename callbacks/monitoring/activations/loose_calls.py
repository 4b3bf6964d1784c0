"""Which of the training step's own calls are no layer's: their outputs reach no later layer."""

from collections.abc import Iterable, Set
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Between an activation and the next layer are only a few operations and their other inputs.
_MOST_NODES = 64


class _Call(NamedTuple):
    record: Any
    outputs: Tensor
    node: torch.autograd.graph.Node | None


class LooseCalls:
    """Records of calls after a layer, until a later layer's inputs come from their outputs."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, record: Any, outputs: Tensor) -> None:
        """Add a call and its outputs."""
        self._calls.append(_Call(record, outputs, outputs.grad_fn))

    def meet_layer(self, inputs: Iterable[Any]) -> None:
        """Drop the calls whose outputs a layer's inputs come from."""
        if not self._calls:
            return
        each = (v if isinstance(v, list | tuple) else [v] for v in inputs)
        tensors = [value for values in each for value in values if isinstance(value, Tensor)]
        memory, wanted = set(map(_memory, tensors)), {call.node for call in self._calls}
        nodes = _nodes_behind(tensors, wanted)
        self._calls = [
            call
            for call in self._calls
            # Without a graph, the use of its outputs cannot be traced.
            if not (call.node is None or call.node in nodes or _memory(call.outputs) in memory)
        ]

    def take(self) -> list[Any]:
        """Return the remaining records, and clear them."""
        left, self._calls = [call.record for call in self._calls], []
        return left


def _nodes_behind(
    tensors: Iterable[Tensor], wanted: Set[torch.autograd.graph.Node | None]
) -> set[torch.autograd.graph.Node]:
    """Nearest graph nodes that the tensors come from, until all ``wanted`` ones are found."""
    queue = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    found = set(queue)
    left = set(wanted) - {None} - found
    for node in queue:
        if not left:
            break
        for behind, _ in node.next_functions:
            if behind is not None and behind not in found and len(found) < _MOST_NODES:
                found.add(behind)
                left.discard(behind)
                queue.append(behind)
    return found


def _memory(tensor: Tensor) -> int:
    """Key of a tensor's memory, which it shares with its views and its detached form."""
    try:
        return tensor.untyped_storage().data_ptr() or id(tensor)
    except (NotImplementedError, RuntimeError):  # sparse, or standing in for another tensor
        return id(tensor)
