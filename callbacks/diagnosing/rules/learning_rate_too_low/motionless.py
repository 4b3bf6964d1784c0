"""Steps that together hardly move the weights, in all of the training."""

import math
import statistics

from ...rounding import as_share
from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .causes import ways_to_longer_steps, words_on_cause

# Path of all steps together, in lengths of the weights.
_NO_WAY_OF_ALL_STEPS = 1e-3
_SHORT_WAY_OF_ALL_STEPS = 2e-2
_LITTLE_WAY_OF_ALL_STEPS = 5e-2

# Share taken off the loss of the best constant prediction.
_HARDLY_ANY_GAIN = 0.1
_SOME_GAIN = 0.2
_LITTLE_GAIN = 0.3


def find_motionless(vitals: Vitals) -> Finding | None:
    """Find steps that together will hardly have moved the weights when training ends."""
    updates = vitals.update_ratios
    if len(updates) < 3 or not vitals.had_a_long_chance:
        return None
    steps = vitals.planned_steps if math.isfinite(vitals.planned_steps) else vitals.step
    way, knows = statistics.fmean(updates) * steps, vitals.objective.constant_loss > 0
    short = way < _NO_WAY_OF_ALL_STEPS and not (knows and vitals.gain > _LITTLE_GAIN)
    # Whatever it started from, a network whose loss still falls in each epoch has more to learn.
    learned = vitals.learned if vitals.epochs_fall else vitals.gain
    short |= way < _SHORT_WAY_OF_ALL_STEPS and knows and learned < _HARDLY_ANY_GAIN
    short |= way < _LITTLE_WAY_OF_ALL_STEPS and knows and vitals.gain < _SOME_GAIN
    if not (short and way > 0):
        return None
    evidence = (
        f"All {steps:.0f} steps together move the weights by no more than {as_share(way)} of "
        f"their length, where 0.1% in each is usual.{words_on_cause(vitals)}"
    )
    figures = {"way": way, "update_ratio": updates[-1], "learning_rate": vitals.learning_rate}
    return Finding("warning", evidence, figures, ways_to_longer_steps(vitals))
