"""Why steps are so small, and what makes them longer: clipping, a schedule, or the rate itself."""

from ....remedy import Remedy
from ...clipping import clip_less
from ...vital_signs.levels import UpdateRatio
from ...vital_signs.vitals import Vitals

_LATE_SHARE_OF_STEPS = 0.75
_MAX_RATE_SHARE_COME_TO = 0.3
_MAX_RATIO_WHEN_LET_DOWN = 1e-2
_MAX_SHARE_LEFT_BY_CLIPPING = 0.02


def ways_to_longer_steps(vitals: Vitals) -> tuple[Remedy, ...]:
    """Return the remedies for the cause at hand."""
    if _is_cut_short(vitals):
        more = Remedy("Or multiply the learning rate by ten.", vitals.rate_as_code(10))
        return clip_less(vitals.usual_gradient), more
    if is_let_down(vitals):
        return (
            Remedy(
                "Step the schedule once per epoch.",
                '{"scheduler": scheduler, "interval": "epoch"}',
            ),
            Remedy("Decay the learning rate over the whole training.", 'scheduler="cosine"'),
        )
    if _warms_up(vitals):
        return (
            Remedy(
                "Count the warm-up in steps, and step the schedule after each optimiser step.",
                '{"scheduler": scheduler, "interval": "step"}',
            ),
            Remedy("Warm up for a few hundred steps at most."),
        )
    adapts = Remedy("Use an adaptive optimiser.", 'optimizer="adam"')
    clips = vitals.steps_by_gradients and vitals.clips_itself
    look = Remedy(
        "Check how much of the gradients the module's own `configure_gradient_clipping` leaves."
    )
    return (
        *([look] if clips else []),
        Remedy("Multiply the learning rate by ten.", vitals.rate_as_code(10)),
        Remedy("Let Lightning's tuner find a rate.", "Tuner(trainer).lr_find(model, data)"),
        *([adapts] if vitals.steps_by_gradients else []),
    )


def words_on_cause(vitals: Vitals) -> str:
    """Describe the cause if it is clipping or a schedule; empty if it is the rate itself."""
    if _is_cut_short(vitals):
        return f" Clipping scales gradients down to {vitals.left_by_clipping:.1g} of their norm."
    if _warms_up(vitals):
        return (
            f" After {vitals.step} steps the warm-up has only reached a learning rate of "
            f"{vitals.learning_rate:.2g} (of {vitals.learning_rate_given:.2g})."
        )
    if not is_let_down(vitals):
        return ""
    return (
        f" In {vitals.step} steps the schedule has decayed the learning rate from "
        f"{vitals.learning_rate_peak:.2g} to {vitals.learning_rate:.2g}."
    )


def _is_cut_short(vitals: Vitals) -> bool:
    """Whether gradients are clipped to almost nothing, and the steps with them."""
    return vitals.steps_by_gradients and vitals.left_by_clipping < _MAX_SHARE_LEFT_BY_CLIPPING


def is_let_down(vitals: Vitals) -> bool:
    """Whether a schedule has long decayed a rate that was not too low to almost nothing."""
    updates = vitals.update_ratios
    if not updates or not max(updates) > UpdateRatio.SMALL:
        return False
    long_ago = updates[int(_LATE_SHARE_OF_STEPS * len(updates))] < (
        _MAX_RATIO_WHEN_LET_DOWN * max(updates)
    )
    return long_ago and vitals.learning_rate < _MAX_RATIO_WHEN_LET_DOWN * vitals.learning_rate_peak


def _warms_up(vitals: Vitals) -> bool:
    """Whether a schedule has kept the rate far below its base rate, and not decayed it yet."""
    now, peak = vitals.learning_rate, vitals.learning_rate_peak
    return now > 0.5 * peak and peak < _MAX_RATE_SHARE_COME_TO * vitals.learning_rate_given
