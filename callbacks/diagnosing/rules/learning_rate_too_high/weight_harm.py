"""Large steps that have killed units, or led the weights far away from where they began."""

from ....monitoring.recording.record import Record
from ...vital_signs.levels import Gain, UpdateRatio
from ...vital_signs.vitals import Vitals
from .steps import Steps, first_layer_step

# Length of a step over that of the weights.
_MAX_UPDATE_RATIO_OF_NOISE = 3e-2
_MIN_FIRST_UPDATE_RATIO = 5e-2


# Shares of units.
_MAX_SHARE_AT_FIRST = 0.2
_MAX_SHARE_DEAD = 0.5
_MAX_SHARE_SATURATED = 0.85

_MIN_GROWTH_OF_WEIGHTS = 3.0
_MIN_GROWTH_WITH_FIRST_STEPS = 2.0
_MIN_GROWTH_WHILE_FALLING = 4.0


def what_died(vitals: Vitals, steps: Steps) -> str:
    """Describe the units that huge steps have left dead or saturated; empty if there are none."""
    # A loss above the constant baseline is as much evidence as larger steps.
    enough = _MAX_UPDATE_RATIO_OF_NOISE if vitals.is_worse_than_constant else UpdateRatio.HUGE
    if not steps.lasting > enough or not vitals.had_a_chance or not vitals.gain <= Gain.VERY_GOOD:
        return ""
    saturated = _grown(vitals.saturated, _MAX_SHARE_SATURATED, vitals.squashed_outputs)
    if saturated:
        return f"{saturated} outputs are saturated"
    if vitals.gain > Gain.GOOD and vitals.is_falling:
        return ""
    # Units that die in the first steps are dead in the first window, but were not dormant before.
    dead = _grown(vitals.dead, _MAX_SHARE_DEAD, before=vitals.dormant)
    return f"{dead} units are dead" if dead else ""


def _grown(record: Record, most: float, outputs: int = 0, before: Record | None = None) -> str:
    known = [(site, shares) for site, shares in record.history.items() if shares]
    for site, shares in known[: len(known) - outputs]:
        first = [shares[0], *([] if before is None else before.of(site)[:1])]
        if min(first) < _MAX_SHARE_AT_FIRST and shares[-1] > most:
            return f"{shares[-1]:.0%} of {site}'s"
    return ""


def have_led_away(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps have tripled the length of the weights, and nothing was learned."""
    known = vitals.gain <= 0 and vitals.had_a_long_chance and not vitals.has_raw_inputs
    return (
        known
        and steps.lasting > UpdateRatio.LARGE
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
        vitals.gain < Gain.LITTLE
        and steps.lasting > _MIN_FIRST_UPDATE_RATIO
        and vitals.growth > enough
        and first_layer_step(vitals) > UpdateRatio.HUGE
    )
