"""Units of custom modules, such as radial basis functions, whose outputs a layer takes."""

import weakref
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..weights.anatomy import is_whole


class CustomUnits:
    """Measure what custom modules of units pass on to a layer, once for each.

    Only a module of its own parameters or buffers counts, none of whose outputs is negative, and
    which a layer takes as they are.

    Attributes:
        found: Root mean square of the outputs, by name of the module, on any rank.
    """

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self._new: dict[str, Tensor] = {}
        self._outputs: dict[int, tuple[weakref.ref[Tensor], str]] = {}

    def begin(self) -> None:
        """Forget the outputs of the last batch."""
        self._outputs.clear()

    def keep(self, name: str, output: object) -> None:
        """Record a module's output."""
        if is_whole(output) and output.is_floating_point() and output.ndim > 1:
            self._outputs[id(output)] = weakref.ref(output), name

    def look(self, x: Tensor) -> None:
        """Measure the input of a layer if it is such an output."""
        output, name = self._outputs.get(id(x), (None, ""))
        if output is None or output() is not x or not x.numel():
            return
        if name in self.found or name in self._new:
            return
        with torch.no_grad():
            units = x.detach().float()
            self._new[name] = torch.stack([units.square().mean().sqrt(), units.amin()])

    def news(self) -> dict[str, float]:
        """Return what was observed since the last call, on the host."""
        new, self._new = self._new, {}
        known = torch.stack(list(new.values())).tolist() if new else []
        return {name: rms for name, (rms, least) in zip(new, known, strict=True) if least >= 0}

    def take(self, ranks: Sequence[Mapping[str, float]]) -> None:
        """Merge the news of all ranks; for each module, the first one counts."""
        for rank in ranks:
            self.found = {**rank, **self.found}


def is_custom_unit(module: nn.Module) -> bool:
    """Whether a module is somebody's own, without other modules in it, and has numbers to use."""
    if type(module).__module__.startswith("torch.nn.") or next(module.children(), None) is not None:
        return False
    own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return bool(own)
