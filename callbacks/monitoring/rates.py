"""The learning rate of a group of parameters, if it has one."""

import math
from collections.abc import Mapping
from typing import Any


def rate_of(group: Mapping[str, Any], name: str = "lr") -> float:
    """Its rate; NaN where the optimiser has none or finds its own, as Adafactor does.

    Args:
        group: Of an optimiser.
        name: ``"initial_lr"`` is what a schedule multiplies; without one it is the rate itself.
    """
    rate = group.get(name, group.get("lr"))
    return math.nan if rate is None else float(rate)
