"""Which parts of a network are looked at: all weights, then single layers and parameters."""

from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .left_out import find_left_out_layers, find_left_out_parameters, find_strangers
from .still import find_still_parameters, find_uncalled
from .untouched import find_untouched
from .untrained import find_untrained

_FEWEST_STEPS = 3
_STEPS_TO_BE_SURE = 50


def examine(vitals: Vitals) -> Finding | None:
    """Find layers without a gradient, and layers missing from the optimisers or the module."""
    return (
        find_untouched(vitals)
        or find_strangers(vitals)
        or _within(vitals)
        or find_untrained(vitals)
    )


def _within(vitals: Vitals) -> Finding | None:
    """Find layers and parameters that are meant to train, but do not, among others that do."""
    # Where optimisers alternate, it takes a while until each layer has had its turn.
    if vitals.step < (_FEWEST_STEPS if vitals.one_loss else _STEPS_TO_BE_SURE):
        return None
    left_out = find_left_out_layers(vitals) or find_left_out_parameters(vitals)
    return left_out or find_still_parameters(vitals) or find_uncalled(vitals)
