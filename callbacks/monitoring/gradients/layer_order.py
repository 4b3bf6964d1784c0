"""The order in which a network computes its layers, whatever order they were registered in."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.hooks import RemovableHandle

from ..activations.compilation import has_compiled_parts


class LayerOrder:
    """Observe the order in which gradients arrive in the backward pass: the last layer's first.

    A compiled part yields all of its gradients at once, and ranks that shard parameters must use
    the same order: there, and for layers without gradients, it is the order of registration.
    """

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []
        self._arrived: dict[str, None] = {}
        self._known: dict[str, None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the hooks, which belong to the original."""
        return {**vars(self), "_handles": []}

    def watch(self, module: nn.Module, layer_of: Mapping[Tensor, str]) -> None:
        """Observe the backward passes from here to the end of the batch."""
        self._arrived, self._known = {}, {}
        if has_compiled_parts(module) or any(isinstance(p, DTensor) for p in layer_of):
            return
        for parameter, layer in layer_of.items():
            lazy = isinstance(parameter, nn.UninitializedParameter)
            if parameter.requires_grad and parameter.is_leaf and not lazy:
                arrive = partial(self._arrive, layer)
                handle = parameter.register_post_accumulate_grad_hook(arrive)  # type: ignore[no-untyped-call]
                self._handles.append(handle)

    def _arrive(self, layer: str, parameter: Tensor) -> None:
        self._arrived.setdefault(layer)

    def close_pass(self) -> None:
        """Record the layers of a backward pass; each of several networks has its own."""
        self._known |= dict.fromkeys(n for n in reversed(self._arrived) if n not in self._known)
        self._arrived = {}

    def end(self) -> None:
        """Close the last pass, and remove every hook."""
        self.close_pass()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def sort(self, layers: Iterable[str]) -> list[str]:
        """Sort layers from input to output; one whose order is unknown keeps its place."""
        layers = list(layers)
        known = set(layers) & self._known.keys()
        ordered = (layer for layer in self._known if layer in known)
        return [next(ordered) if layer in known else layer for layer in layers]
