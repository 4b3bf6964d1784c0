"""Layers that take the first dimension of what they get for time."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ..weights.anatomy import is_whole

Sizes = tuple[int, int]


class TimeAxes:
    """How many times and sequences a layer without ``batch_first`` was given, the first time.

    Attributes:
        found: By layer, as taken up of all ranks.
    """

    def __init__(self) -> None:
        self.found: dict[str, Sizes] = {}
        self._seen: set[str] = set()
        self._new: dict[str, Sizes] = {}

    def look(self, name: str, layer: nn.Module, x: object) -> None:
        """Take up what reaches a layer.

        Args:
            name: The layer.
            layer: Of any kind.
            x: What reaches it: of shape ``(time, batch, features)`` if it runs through sequences.
        """
        recurrent = isinstance(layer, nn.RNNBase)
        if not (recurrent or isinstance(layer, nn.MultiheadAttention)) or name in self._seen:
            return
        self._seen.add(name)
        if not layer.batch_first and is_whole(x) and x.ndim == 3:
            self._new[name] = (x.shape[0], x.shape[1])

    def news(self) -> dict[str, Sizes]:
        """What was seen since the last time."""
        new, self._new = self._new, {}
        return new

    def take(self, ranks: Sequence[Mapping[str, Sizes]]) -> None:
        """Take up the news of all ranks; the first one's word on a layer stands."""
        for rank in ranks:
            self.found = {**rank, **self.found}

    def state_dict(self) -> dict[str, Any]:
        """What was taken up so far."""
        return dict(self.found)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.found = {name: (int(time), int(batch)) for name, (time, batch) in state_dict.items()}
        self._seen = set(self.found)
