"""Schedules that do not fit the planned steps: never at their peak, or at their end too soon."""

from ....remedy import Remedy
from ...rounding import as_share
from ...symptom import Finding
from ...vital_signs.levels import Gain, UpdateRatio
from ...vital_signs.vitals import Vitals
from .causes import is_let_down, ways_to_longer_steps, words_on_cause

_MAX_SHARE_OF_SCHEDULE = 0.2
_MAX_RATE_SHARE_WARMING = 0.1
_MIN_UPDATES = 9
_MAX_RATIO_OF_DIED_UPDATES = 1e-3


def find_unfinished_schedule(vitals: Vitals) -> Finding | None:
    """Find a one-cycle schedule that counts steps but is stepped once per epoch."""
    if not vitals.schedule_share < _MAX_SHARE_OF_SCHEDULE:
        return None
    if vitals.gain > Gain.GOOD or not vitals.had_a_chance:
        return None
    evidence = (
        f"The training makes {vitals.schedule_share:.1%} of the steps that its learning-rate "
        f"schedule was made for, and has reached a rate of {vitals.learning_rate:.2g}."
    )
    advice = "Step the schedule after each optimiser step, not once per epoch."
    remedies = (Remedy(advice, '{"scheduler": scheduler, "interval": "step"}'),)
    figures = {"share": vitals.schedule_share, "learning_rate": vitals.learning_rate}
    return Finding("warning", evidence, figures, remedies, is_root=True)


def find_endless_warm_up(vitals: Vitals) -> Finding | None:
    """Find a warm-up still running after half of the training, as when stepped once per epoch."""
    now, given = vitals.learning_rate, vitals.learning_rate_given
    rises = vitals.learning_rate_peak <= now < _MAX_RATE_SHARE_WARMING * given
    updates = vitals.update_ratios
    if not (rises and vitals.is_past_half) or vitals.gain > Gain.EXCELLENT:
        return None
    # A schedule may multiply a rate that nobody would use, as Noam's multiplies 1.
    if not 0 < max(updates, default=0.0) < UpdateRatio.SMALL:
        return None
    evidence = (
        f"After {vitals.step} of {vitals.planned_steps:.0f} steps, each moves the weights by "
        f"{as_share(updates[-1])} of their length, where 0.1% is usual.{words_on_cause(vitals)}"
    )
    figures = {"update_ratio": updates[-1], "learning_rate": now}
    return Finding("warning", evidence, figures, ways_to_longer_steps(vitals), is_root=True)


def find_early_end(vitals: Vitals) -> Finding | None:
    """Find a rate that decayed to almost nothing in the first third of the training."""
    updates = vitals.update_ratios
    if len(updates) < _MIN_UPDATES or not vitals.step > vitals.planned_steps / 2:
        return None
    # The third is of the planned steps, and not of those done so far.
    share = vitals.step / vitals.planned_steps
    third = int(len(updates) / (3 * share))
    is_early = updates[third] < _MAX_RATIO_OF_DIED_UPDATES * max(updates) and is_let_down(vitals)
    if not is_early or vitals.waits_for_plateau or vitals.objective.of_positions:
        return None
    if vitals.gain > Gain.EXCELLENT or not vitals.objective.constant_loss > 0:
        return None
    evidence = (
        "The last two thirds of the training have hardly any effect: each step moves the weights "
        f"by {as_share(updates[-1])} of their length.{words_on_cause(vitals)}"
    )
    figures = {"update_ratio": updates[-1], "learning_rate": vitals.learning_rate}
    return Finding("warning", evidence, figures, ways_to_longer_steps(vitals))
