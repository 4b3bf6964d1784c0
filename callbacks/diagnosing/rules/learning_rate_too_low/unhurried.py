"""Steps smaller than usual, with a loss that still falls near the end and little learned."""

import statistics

from ...rounding import as_share
from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .causes import ways_to_longer_steps

# Of a step's length to that of the weights.
_TINY_UPDATE_RATIO = 1e-4
_SMALL_UPDATE_RATIO = 2e-4
_MODEST_UPDATE_RATIO = 5e-4
_USUAL_UPDATE_RATIO = 1e-3
_HURRIED_UPDATE_RATIO = 2e-3

# Share taken off the loss of the best constant prediction.
_MAX_GAIN_AT_USUAL_STEPS = 0.2
_LITTLE_GAIN = 0.3
_GOOD_GAIN = 0.5
_MIN_HARMLESS_GAIN = 0.9

_LATE_SHARE_OF_STEPS = 0.75
_MIN_SHARE_AT_FIRST = 0.75  # Of the usual length of a step.


def find_unhurried(vitals: Vitals) -> Finding | None:
    """Find a loss that has fallen by little, and that falls at the end as fast as it did before.

    Little is less than half of what there is to learn where all steps are smaller than usual, and
    less than nearly all of it where they are a tenth of the usual size.
    """
    updates = vitals.update_ratios
    largest = max(updates, default=0.0)
    if not 0 < largest < _HURRIED_UPDATE_RATIO or vitals.sigmoids_hardly_varied_at_first:
        return None
    tiny = largest < _SMALL_UPDATE_RATIO and statistics.median(updates) < _TINY_UPDATE_RATIO
    late = vitals.step >= _LATE_SHARE_OF_STEPS * vitals.planned_steps
    goes_on = tiny and late and vitals.is_falling and vitals.validation_falls
    at_usual = _LITTLE_GAIN if late else _MAX_GAIN_AT_USUAL_STEPS
    limit = (
        _MIN_HARMLESS_GAIN
        if goes_on
        else (_GOOD_GAIN if largest < _USUAL_UPDATE_RATIO else at_usual)
    )
    as_ever = vitals.falls_as_fast_as_ever or _creeps(vitals, updates)
    # The noise of batches may hide it.
    knows = vitals.objective.constant_loss > 0
    as_ever |= knows and late and vitals.validation_keeps_its_pace
    # NaN for a loss below 0, of which nobody can tell how much it has fallen.
    if not vitals.gain <= limit or not (goes_on or as_ever):
        return None
    start = "that of the best constant prediction" if knows else "what it was at first"
    falls = "is falling as fast as ever" if as_ever else "is still falling"
    evidence = (
        f"After {vitals.step} of {vitals.planned_steps:.0f} steps the loss is only "
        f"{max(0.0, vitals.gain):.1%} below {start}, and {falls}: "
        f"each step moves the weights by {as_share(statistics.median(updates))} of their length."
    )
    figures = {"gain": vitals.gain, "learning_rate": vitals.learning_rate}
    return Finding("warning", evidence, figures, ways_to_longer_steps(vitals))


def _creeps(vitals: Vitals, updates: list[float]) -> bool:
    """Whether a loss without a known baseline keeps its pace with short steps, and little fell.

    After a warm-up, the pace of the first steps is nothing to compare with.
    """
    if not (max(updates) < _MODEST_UPDATE_RATIO and vitals.gain < _LITTLE_GAIN):
        return False
    first = statistics.median(updates[: max(1, len(updates) // 4)])
    return vitals.keeps_its_pace and first > _MIN_SHARE_AT_FIRST * statistics.median(updates)
