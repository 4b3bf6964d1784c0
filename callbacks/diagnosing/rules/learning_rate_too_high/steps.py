"""How long the reported steps were, relative to the weights."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ....monitoring.layers import plain_layer
from ...vital_signs.vitals import Vitals

_FIRST_UPDATES = 5
_RECENT_UPDATES = 3
_LATE_UPDATES = 5


@dataclass(frozen=True)
class Steps:
    """Lengths of the reported steps, relative to those of the weights.

    Attributes:
        number: Number of reported steps.
        typical: Median of all.
        recent: Median of the last three.
        late: Median of the last five.
        peak: The longest.
        lasting: The longest, with the first five counting as their median: Adam's very first steps
            are large relative to small weights.
    """

    number: int
    typical: float
    recent: float
    late: float
    peak: float
    lasting: float

    @classmethod
    def of(cls, known: Sequence[float]) -> "Steps | None":
        """Summarise all known update ratios; None if there is none."""
        if not known:
            return None
        first, later = known[:_FIRST_UPDATES], known[_FIRST_UPDATES:]
        return cls(
            len(known),
            typical=statistics.median(known),
            recent=statistics.median(known[-_RECENT_UPDATES:]),
            late=statistics.median(known[-_LATE_UPDATES:]),
            peak=max(known),
            lasting=max(statistics.median(first), *later, 0.0),
        )


def first_layer_step(vitals: Vitals) -> float:
    """Return the length of the first steps relative to a layer's weights, median over the layers.

    In the ratio of the whole network, large embeddings and norms hide it.
    """
    names = {plain_layer(layer.name) for layer in vitals.layers}
    # The name of a custom module's matrix is appended to that of the module.
    known_as = {name: {name, name.rpartition(".")[0]} for name in vitals.updates.last}
    firsts = [
        vitals.updates.of(name)[:_FIRST_UPDATES] for name in known_as if known_as[name] & names
    ]
    known = [[step for step in first if math.isfinite(step)] for first in firsts]
    return statistics.median([statistics.median(steps) for steps in known if steps] or [0.0])
