"""Units of custom modules, such as radial basis functions, whose outputs a layer takes."""

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from ..weights.anatomy import is_torchs, is_whole
from .first_calls import FirstCalls


class CustomUnits(FirstCalls):
    """Measure what custom modules of units pass on to a layer, once for each.

    Only a module of its own parameters or buffers counts, none of whose outputs is negative, and
    which a layer takes as they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self._outputs: dict[int, tuple[weakref.ref[Tensor], str]] = {}

    @property
    def found(self) -> dict[str, float]:
        """Root mean square of the outputs, by name of the module."""
        return {name: rms for name, (rms, least) in self.rows.items() if least >= 0}

    def begin(self) -> None:
        """Forget the outputs of the last batch."""
        self._outputs.clear()

    def keep(self, name: str, module: nn.Module, arguments: Any, output: object) -> None:
        """Record the output of a call of the module of that name."""
        if is_whole(output) and output.is_floating_point() and output.ndim > 1:
            self._outputs[id(output)] = weakref.ref(output), name

    def look(self, x: Tensor) -> None:
        """Measure the input of a layer if it is such an output."""
        output, name = self._outputs.get(id(x), (None, ""))
        if output is None or output() is not x or not x.numel() or self.has(name):
            return
        with torch.no_grad():
            units = x.detach().float()
            self._new[name] = torch.stack([units.square().mean().sqrt(), units.amin()])


def is_custom_unit(module: nn.Module) -> bool:
    """Whether a module is somebody's own, without other modules in it, and has numbers to use."""
    own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return bool(own) and not is_torchs(module) and next(module.children(), None) is None
