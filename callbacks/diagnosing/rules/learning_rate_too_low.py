"""Steps so small that the loss hardly falls.

An update ratio far below 1e-4 alone is not a fault: it is usual late in a schedule, or when all is
learned. The loss must fall steadily and yet have come down by almost nothing, or still fall as fast
as ever near the end with little learned. Or all steps together hardly move the weights, or a
schedule does not fit the planned steps.
"""

import math
import statistics

from ...problem import Problem
from ...remedy import Remedy
from ..clipping import clip_less
from ..rounding import as_share
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

# Of a step's length to that of the weights.
_NEGLIGIBLE_UPDATE_RATIO = 1e-5
_TINY_UPDATE_RATIO = 1e-4
_SMALL_UPDATE_RATIO = 2e-4
_SHORT_UPDATE_RATIO = 3e-4
_MODEST_UPDATE_RATIO = 5e-4
_USUAL_UPDATE_RATIO = 1e-3
_HURRIED_UPDATE_RATIO = 2e-3
_MIN_UPDATES = 9
_MIN_SHARE_OF_TINY = 0.25  # Of all updates.
_MAX_RATIO_OF_DIED_UPDATES = 1e-3

# Path of all steps together, in lengths of the weights.
_NO_WAY_OF_ALL_STEPS = 1e-3
_SHORT_WAY_OF_ALL_STEPS = 2e-2

# Share taken off the loss of the best constant prediction (the constant baseline).
_CLEAR_GAIN = 0.02
_HARDLY_ANY_GAIN = 0.1
_MAX_GAIN_AT_USUAL_STEPS = 0.2
_LITTLE_GAIN = 0.3
_MAX_GAIN_WITH_SHORT_STEPS = 0.4
_GOOD_GAIN = 0.5
_MIN_HARMLESS_GAIN = 0.9

_LATE_SHARE_OF_STEPS = 0.75
_MAX_SHARE_OF_SCHEDULE = 0.2
_MAX_RATE_SHARE_WARMING = 0.1
_MAX_RATE_SHARE_COME_TO = 0.3
_MAX_RATIO_WHEN_LET_DOWN = 1e-2
_MAX_SHARE_LEFT_BY_CLIPPING = 0.02


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a schedule that will not reach its peak, or a loss that hardly falls."""
    found = _unfinished(vitals) or _still_warming(vitals) or _motionless(vitals)
    return found or _crawling(vitals) or _died_early(vitals) or _unhurried(vitals)


def _unfinished(vitals: Vitals) -> list[Symptom]:
    """Find a one-cycle schedule that counts steps but is stepped once per epoch."""
    if (
        not vitals.schedule_share < _MAX_SHARE_OF_SCHEDULE
        or vitals.gain > _GOOD_GAIN
        or not vitals.had_a_chance
    ):
        return []
    evidence = (
        f"The training makes {vitals.schedule_share:.1%} of the steps that its learning-rate "
        f"schedule was made for, and has reached a rate of {vitals.learning_rate:.2g}."
    )
    advice = "Step the schedule after each optimiser step, not once per epoch."
    remedies = (Remedy(advice, '{"scheduler": scheduler, "interval": "step"}'),)
    figures = {"share": vitals.schedule_share, "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, remedies, is_root=True)]


def _still_warming(vitals: Vitals) -> list[Symptom]:
    """Find a warm-up still running after half of the training, as when stepped once per epoch."""
    now, given = vitals.learning_rate, vitals.learning_rate_given
    rises = vitals.learning_rate_peak <= now < _MAX_RATE_SHARE_WARMING * given
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    is_late = vitals.had_a_long_chance and vitals.planned_steps / 2 <= vitals.step
    # A schedule may multiply a rate that nobody would use, as Noam's multiplies 1.
    if not (rises and is_late and 0 < max(updates, default=0.0) < _SMALL_UPDATE_RATIO):
        return []
    if vitals.gain > _MIN_HARMLESS_GAIN:
        return []
    evidence = (
        f"After {vitals.step} of {vitals.planned_steps:.0f} steps, each moves the weights by "
        f"{as_share(updates[-1])} of their length, where 0.1% is usual.{_words_on_cause(vitals)}"
    )
    figures = {"update_ratio": updates[-1], "learning_rate": now}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals), is_root=True)]


def _motionless(vitals: Vitals) -> list[Symptom]:
    """Find steps that together will hardly have moved the weights when training ends."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if len(updates) < 3 or not vitals.had_a_long_chance:
        return []
    steps = vitals.planned_steps if math.isfinite(vitals.planned_steps) else vitals.step
    way, knows = statistics.fmean(updates) * steps, vitals.objective.constant_loss > 0
    short = way < _NO_WAY_OF_ALL_STEPS and not (knows and vitals.gain > _LITTLE_GAIN)
    short |= way < _SHORT_WAY_OF_ALL_STEPS and knows and vitals.gain < _HARDLY_ANY_GAIN
    if not (short and way > 0):
        return []
    evidence = (
        f"All {steps:.0f} steps together move the weights by no more than {as_share(way)} of "
        f"their length, where 0.1% in each is usual.{_words_on_cause(vitals)}"
    )
    figures = {"way": way, "update_ratio": updates[-1], "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals))]


def _remedies(vitals: Vitals) -> tuple[Remedy, ...]:
    if _is_cut_short(vitals):
        more = Remedy("Or multiply the learning rate by ten.", vitals.rate_as_code(10))
        return clip_less(vitals.usual_gradient), more
    if _is_let_down(vitals):
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


def _is_cut_short(vitals: Vitals) -> bool:
    """Whether gradients are clipped to almost nothing, and the steps with them."""
    return vitals.steps_by_gradients and vitals.left_by_clipping < _MAX_SHARE_LEFT_BY_CLIPPING


def _is_let_down(vitals: Vitals) -> bool:
    """Whether a schedule has long decayed a rate that was not too low to almost nothing."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if not updates or not max(updates) > _SMALL_UPDATE_RATIO:
        return False
    long_ago = updates[int(_LATE_SHARE_OF_STEPS * len(updates))] < (
        _MAX_RATIO_WHEN_LET_DOWN * max(updates)
    )
    return long_ago and vitals.learning_rate < _MAX_RATIO_WHEN_LET_DOWN * vitals.learning_rate_peak


def _warms_up(vitals: Vitals) -> bool:
    """Whether a schedule has kept the rate far below its base rate, and not decayed it yet."""
    now, peak = vitals.learning_rate, vitals.learning_rate_peak
    return now > 0.5 * peak and peak < _MAX_RATE_SHARE_COME_TO * vitals.learning_rate_given


def _words_on_cause(vitals: Vitals) -> str:
    if _is_cut_short(vitals):
        return f" Clipping scales gradients down to {vitals.left_by_clipping:.1g} of their norm."
    if _warms_up(vitals):
        return (
            f" After {vitals.step} steps the warm-up has only reached a learning rate of "
            f"{vitals.learning_rate:.2g} (of {vitals.learning_rate_given:.2g})."
        )
    if not _is_let_down(vitals):
        return ""
    return (
        f" In {vitals.step} steps the schedule has decayed the learning rate from "
        f"{vitals.learning_rate_peak:.2g} to {vitals.learning_rate:.2g}."
    )


def _crawling(vitals: Vitals) -> list[Symptom]:
    """Find small steps, with a loss that falls steadily by almost nothing."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if not vitals.one_loss or len(updates) < 3 or not vitals.had_a_chance:
        return []
    fast = max(updates) > _USUAL_UPDATE_RATIO
    if _has_done_its_work(vitals, updates):
        return []
    recent = statistics.median(updates[-5:])
    fell = 1 - vitals.recent_loss / vitals.initial_loss if vitals.initial_loss > 0 else math.nan
    if math.isnan(fell) and vitals.recent_loss < vitals.initial_loss:
        return []  # How much a loss below 0 has fallen is unknown.
    learned = _learned_slowly(vitals, fell, fast=fast)
    falls = vitals.is_falling or vitals.validation_falls
    crawls = fell > 0 and falls and _asks_for_longer_steps(vitals, updates, learned)
    # With negligible steps, a loss that looks better is noise.
    stands = (
        recent < _TINY_UPDATE_RATIO
        and not _has_learned(vitals, recent, fell)
        and not vitals.is_rising
    )
    died_out = vitals.learning_rate <= 1e-3 * vitals.learning_rate_peak
    # A run that was once fast slows down by itself when nothing is left to learn.
    slowed = fast and vitals.learning_rate > 0.1 * vitals.learning_rate_peak
    slowed &= not (crawls and _has_ebbed(vitals, updates, learned))
    if slowed or not ((recent > 0 or died_out) and (crawls or stands)):
        return []
    what = f"fell by only {as_share(fell)} in" if fell > 0 else "did not fall in"
    if 0 < learned < fell:
        what = f"is only {as_share(learned)} below that of the best constant prediction after"
    evidence = (
        f"The loss {what} {vitals.step} steps: each step moves the weights by {as_share(recent)} "
        f"of their length, where about 0.1% is usual.{_words_on_cause(vitals)}"
    )
    figures = {"update_ratio": recent, "fell": fell, "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals))]


def _has_done_its_work(vitals: Vitals, updates: list[float]) -> bool:
    """Whether a schedule decayed the rate only after it had done its work, or had its chance."""
    fast = max(updates) > _USUAL_UPDATE_RATIO
    tiny = sum(update < _TINY_UPDATE_RATIO for update in updates)
    worked = fast and tiny < _MIN_SHARE_OF_TINY * len(updates)
    let_down = vitals.learning_rate < 0.5 * vitals.learning_rate_peak
    return let_down and (worked or vitals.gain > _LITTLE_GAIN)


def _has_ebbed(vitals: Vitals, updates: list[float], learned: float) -> bool:
    """Whether steps that were long at first are short before much is learned.

    Adagrad's shrink with each step: more is left to learn if, after half of the training, both the
    training and the validation loss still fall steadily.
    """
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    falls = vitals.is_falling and vitals.validation_falls
    is_short = statistics.median(updates) < _MODEST_UPDATE_RATIO
    return late and falls and is_short and learned < _HARDLY_ANY_GAIN


def _learned_slowly(vitals: Vitals, fell: float, *, fast: bool) -> float:
    """Return the share of the loss that learning removed; some may show in validation alone.

    A run that was always slow and only came down to the constant baseline has learned nothing.
    """
    knows = vitals.objective.constant_loss > 0 and not vitals.has_other_terms
    learned = min(fell, vitals.gain) if knows and not fast else fell
    if knows and vitals.validates_the_same_loss:
        # Label noise and dropout raise the training loss alone.
        learned = max(learned, 1 - vitals.validation_losses[-1] / vitals.whole_scale)
    return learned


def _asks_for_longer_steps(vitals: Vitals, updates: list[float], learned: float) -> bool:
    """Whether steps are too short for what was learned.

    The smaller they have been, the more larger ones would help.
    """
    recent, longest = statistics.median(updates[-5:]), max(updates)
    # With good steps, even a task such as parity begins to be learned well before half-time.
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    return (
        _has_ebbed(vitals, updates, learned)
        or (recent < _SMALL_UPDATE_RATIO and learned < _LITTLE_GAIN)
        or (longest < _SHORT_UPDATE_RATIO and learned < _MAX_GAIN_WITH_SHORT_STEPS)
        or (late and longest < _MODEST_UPDATE_RATIO and learned < _HARDLY_ANY_GAIN)
    )


def _died_early(vitals: Vitals) -> list[Symptom]:
    """Find a rate that decayed to almost nothing in the first third of the training."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if (
        len(updates) < _MIN_UPDATES
        or not vitals.step > vitals.planned_steps / 2
        or vitals.gain > _MIN_HARMLESS_GAIN
    ):
        return []
    # The third is of the planned steps, and not of those done so far.
    share = vitals.step / vitals.planned_steps
    third = int(len(updates) / (3 * share))
    is_early = updates[third] < _MAX_RATIO_OF_DIED_UPDATES * max(updates) and _is_let_down(vitals)
    if not is_early or vitals.waits_for_plateau or vitals.objective.of_positions:
        return []
    if not vitals.objective.constant_loss > 0:
        return []
    evidence = (
        "The last two thirds of the training have hardly any effect: each step moves the weights "
        f"by {as_share(updates[-1])} of their length.{_words_on_cause(vitals)}"
    )
    figures = {"update_ratio": updates[-1], "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals))]


def _unhurried(vitals: Vitals) -> list[Symptom]:
    """Find a loss that has fallen by little, and that falls at the end as fast as it did before.

    Little is less than half of what there is to learn where all steps are smaller than usual, and
    less than nearly all of it where they are a tenth of the usual size.
    """
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    largest = max(updates, default=0.0)
    if not 0 < largest < _HURRIED_UPDATE_RATIO or vitals.sigmoids_hardly_varied_at_first:
        return []
    tiny = largest < _SMALL_UPDATE_RATIO and statistics.median(updates) < _TINY_UPDATE_RATIO
    late = vitals.step >= _LATE_SHARE_OF_STEPS * vitals.planned_steps
    goes_on = tiny and late and vitals.is_falling and vitals.validation_falls
    limit = (
        _MIN_HARMLESS_GAIN
        if goes_on
        else (_GOOD_GAIN if largest < _USUAL_UPDATE_RATIO else _MAX_GAIN_AT_USUAL_STEPS)
    )
    as_ever = vitals.falls_as_fast_as_ever
    if vitals.gain > limit or not (goes_on or as_ever):
        return []
    falls = "is falling as fast as ever" if as_ever else "is still falling"
    evidence = (
        f"After {vitals.step} of {vitals.planned_steps:.0f} steps the loss is only "
        f"{max(0.0, vitals.gain):.1%} below that of the best constant prediction, and {falls}: "
        f"each step moves the weights by {as_share(statistics.median(updates))} of their length."
    )
    figures = {"gain": vitals.gain, "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals))]


def _has_learned(vitals: Vitals, step: float, fell: float) -> bool:
    """Whether more was learned than noise explains: the smaller the steps, the more is noise."""
    if step < _NEGLIGIBLE_UPDATE_RATIO or not vitals.has_learned:
        return vitals.gain > (_LITTLE_GAIN if step < _NEGLIGIBLE_UPDATE_RATIO else _CLEAR_GAIN)
    return vitals.gain > _LITTLE_GAIN * _NEGLIGIBLE_UPDATE_RATIO / step or fell > _LITTLE_GAIN
