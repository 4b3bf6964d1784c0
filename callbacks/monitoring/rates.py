"""The learning rate of a group of parameters, if it has one."""

import math
from collections.abc import Mapping
from typing import Any


def rate_of(group: Mapping[str, Any], name: str = "lr") -> float:
    """Learning rate of a group; NaN if there is none or the optimiser computes it (Adafactor).

    Args:
        group: Parameter group of an optimiser.
        name: Key of the rate: ``"initial_lr"`` is the one that a schedule multiplies. A group
            without this key gives ``"lr"``.
    """
    rate = group.get(name, group.get("lr"))
    return math.nan if rate is None else float(rate)
