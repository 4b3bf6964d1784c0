"""Layers that take the first dimension of their input as time."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ..weights.anatomy import is_whole

Sizes = tuple[int, int]


class TimeAxes:
    """Record the time steps and sequences in the first input of each layer without ``batch_first``.

    Attributes:
        found: By layer, merged over all ranks.
    """

    def __init__(self) -> None:
        self.found: dict[str, Sizes] = {}
        self._seen: set[str] = set()
        self._new: dict[str, Sizes] = {}

    def look(self, name: str, layer: nn.Module, x: object) -> None:
        """Record the input of a layer.

        Args:
            name: Name of the layer.
            layer: A module of any kind.
            x: Its input, of shape ``(time, batch, features)`` if the layer processes sequences.
        """
        recurrent = isinstance(layer, nn.RNNBase)
        if not (recurrent or isinstance(layer, nn.MultiheadAttention)) or name in self._seen:
            return
        self._seen.add(name)
        if not layer.batch_first and is_whole(x) and x.ndim == 3:
            self._new[name] = (x.shape[0], x.shape[1])

    def news(self) -> dict[str, Sizes]:
        """Return what was observed since the last call."""
        new, self._new = self._new, {}
        return new

    def take(self, ranks: Sequence[Mapping[str, Sizes]]) -> None:
        """Merge the news of all ranks; for each layer, the first one counts."""
        for rank in ranks:
            self.found = {**rank, **self.found}

    def state_dict(self) -> dict[str, Any]:
        """Return what was merged so far."""
        return dict(self.found)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.found = {name: (int(time), int(batch)) for name, (time, batch) in state_dict.items()}
        self._seen = set(self.found)
