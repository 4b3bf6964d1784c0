"""Large steps that have led the weights far away from where they began."""

from ...vital_signs.vitals import Vitals
from .steps import Steps, first_layer_step

# Length of a step over that of the weights.
_LARGE_UPDATE_RATIO = 1e-2
_MIN_FIRST_UPDATE_RATIO = 5e-2
_HUGE_UPDATE_RATIO = 1e-1  # The limit of TheDeepChecker.

_MIN_GROWTH_OF_WEIGHTS = 3.0
_MIN_GROWTH_WITH_FIRST_STEPS = 2.0
_MIN_GROWTH_WHILE_FALLING = 4.0
_LITTLE_GAIN = 0.3


def have_led_away(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps have tripled the length of the weights, and nothing was learned."""
    known = vitals.gain <= 0 and vitals.had_a_long_chance and not vitals.has_raw_inputs
    return (
        known
        and steps.lasting > _LARGE_UPDATE_RATIO
        and vitals.growth > _MIN_GROWTH_OF_WEIGHTS
        and not vitals.misinitialized
    )


def have_replaced_weights(vitals: Vitals, steps: Steps) -> bool:
    """Whether large steps have replaced the first weights with others that have learned little.

    Half of the planned steps must be done. A falling loss is given time, unless the weights are
    four times as long.
    """
    if not vitals.is_past_half or vitals.misinitialized or not vitals.objective.task:
        return False
    enough = _MIN_GROWTH_WHILE_FALLING if vitals.is_falling else _MIN_GROWTH_WITH_FIRST_STEPS
    return (
        vitals.gain < _LITTLE_GAIN
        and steps.lasting > _MIN_FIRST_UPDATE_RATIO
        and vitals.growth > enough
        and first_layer_step(vitals) > _HUGE_UPDATE_RATIO
    )
