"""Which differences between training and evaluation are looked for, and in which order."""

from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .batch_norms import (
    find_hasty_statistics,
    find_norms_in_evaluation_mode,
    find_slow_statistics,
    find_stale_statistics,
    find_tiny_batches,
    will_converge,
)
from .early_gap import find_early_gap
from .validation_batches import find_other_inputs, find_unfed_norms

_MIN_RATIO_OF_A_SUM = 3.0


def examine(vitals: Vitals) -> Finding | None:
    """Find BatchNorm statistics, or anything else, that make evaluation differ from training."""
    found = (
        find_tiny_batches(vitals)
        or find_norms_in_evaluation_mode(vitals)
        or find_slow_statistics(vitals)
    )
    found = found or find_hasty_statistics(vitals)
    # Sums over batches of different sizes cannot be compared, nor losses in different units.
    is_rescaled = not 1 / _MIN_RATIO_OF_A_SUM <= vitals.sum_of <= _MIN_RATIO_OF_A_SUM
    if found or is_rescaled:
        return found
    if sure := find_other_inputs(vitals) or find_unfed_norms(vitals):
        return sure
    if will_converge(vitals):
        return None
    return find_stale_statistics(vitals) or find_early_gap(vitals)
