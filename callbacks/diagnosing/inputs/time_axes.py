"""Layers that take the first dimension of their input as time."""

import torch
from torch import nn

from ..weights.anatomy import is_whole
from .first_calls import FirstCalls


class TimeAxes(FirstCalls):
    """Record the time steps and sequences in the first input of each layer without ``batch_first``.

    They are the first two sizes of an input of shape ``(time, batch, features)``.
    """

    @property
    def found(self) -> dict[str, tuple[int, int]]:
        """The two sizes for each layer."""
        return {name: (int(time), int(batch)) for name, (time, batch) in self.rows.items()}

    def look(self, name: str, layer: nn.Module, x: object) -> None:
        """Record the input of a layer, if it is one that processes sequences.

        Args:
            name: Name of the layer.
            layer: A module of any kind.
            x: Its input.
        """
        in_time = isinstance(layer, (nn.RNNBase, nn.MultiheadAttention)) and not layer.batch_first
        if in_time and not self.has(name) and is_whole(x) and x.ndim == 3:
            self._new[name] = torch.tensor(x.shape[:2], device="cpu")
