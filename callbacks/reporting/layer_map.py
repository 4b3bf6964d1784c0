"""One quantity of every layer over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..monitoring.recording.heat_map import Scale


@dataclass(frozen=True)
class LayerMap:
    """The contents of a heat map.

    Attributes:
        title: The quantity, in words.
        about: How to read it, in one sentence.
        layers: Names, in the order of the network.
        steps: Step of each column, on the loggers' axis.
        values: Shape ``(layers, steps)``; NaN where there is no record.
        scale: What the colours mean.
        centred: Whether the middle of the scale is the desired value.
    """

    title: str
    about: str
    layers: Sequence[str]
    steps: Sequence[int]
    values: Tensor
    scale: Scale
    centred: bool = False
