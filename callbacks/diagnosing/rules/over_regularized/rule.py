"""Which kinds of regularisation are looked for, by what has been learned."""

import math

from ...symptom import Finding
from ...vital_signs.levels import Gain
from ...vital_signs.vitals import Vitals
from .collapse import find_collapse
from .dropout import find_dropout
from .penalty import find_holding_penalty, find_penalty, find_vanished_penalty
from .weight_decay import find_balanced_decay, find_weight_decay

_MAX_GAIN_IF_OUTWEIGHED = 0.65


def examine(vitals: Vitals) -> Finding | None:
    """Find a penalty, weight decay or dropout that keeps the network from fitting."""
    if not vitals.had_a_chance:
        return None
    if vitals.gain > _MAX_GAIN_IF_OUTWEIGHED:
        return find_balanced_decay(vitals) or find_holding_penalty(vitals)
    if not all(map(math.isfinite, vitals.losses[:1])):
        return None  # The run failed before anything could outweigh the data.
    if collapsed := find_collapse(vitals):
        return collapsed
    if vitals.gain > Gain.GOOD:
        return (
            find_weight_decay(vitals) or find_balanced_decay(vitals) or find_holding_penalty(vitals)
        )
    found = find_penalty(vitals) or find_dropout(vitals) or find_weight_decay(vitals)
    return found or find_vanished_penalty(vitals) or find_balanced_decay(vitals)
