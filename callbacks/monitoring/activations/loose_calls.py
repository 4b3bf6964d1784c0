"""Which calls of the step itself are no layer's: nothing that comes of them meets a layer."""

from collections.abc import Iterable, Set
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
# From an activation to the next layer there are a few operations, and their other inputs.
_MOST_NODES = 64


class _Call(NamedTuple):
    record: Any
    outputs: Tensor
    node: torch.autograd.graph.Node | None


class LooseCalls(Generic[T]):
    """Records of calls behind a layer, as long as no later layer was given what came of them."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, record: T, outputs: Tensor) -> None:
        """Take up a call and what it gave."""
        self._calls.append(_Call(record, outputs, outputs.grad_fn))

    def meet_layer(self, inputs: Iterable[Any]) -> None:
        """Let go of the calls of whose outputs a layer's inputs came."""
        if not self._calls:
            return
        each = (v if isinstance(v, list | tuple) else [v] for v in inputs)
        tensors = [value for values in each for value in values if isinstance(value, Tensor)]
        memory, wanted = set(map(_memory, tensors)), {call.node for call in self._calls}
        nodes = _nodes_behind(tensors, wanted)
        self._calls = [
            call
            for call in self._calls
            # Without a graph it cannot be told what came of it.
            if not (call.node is None or call.node in nodes or _memory(call.outputs) in memory)
        ]

    def take(self) -> list[T]:
        """The records that are left, and no more of them."""
        left, self._calls = [call.record for call in self._calls], []
        return left


def _nodes_behind(
    tensors: Iterable[Tensor], wanted: Set[torch.autograd.graph.Node | None]
) -> set[torch.autograd.graph.Node]:
    """The nearest nodes of the graph that the tensors came of, until all are found that matter."""
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
    """What tells that two tensors are the same or one a view or the detached form of the other."""
    try:
        return tensor.untyped_storage().data_ptr() or id(tensor)
    except (NotImplementedError, RuntimeError):  # sparse, or one that stands for others
        return id(tensor)
