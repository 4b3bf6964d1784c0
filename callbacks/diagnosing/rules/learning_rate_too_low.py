"""Steps so small that a loss which falls hardly does.

An update ratio far under 1e-4 alone is no fault: late in a schedule, or when all is learned. The
loss must fall steadily, and yet have come down by next to nothing, or be far from where the rest of
the planned steps would take it. Or fall at the end as fast as it did, from little to little less.
Or a schedule was made for many more steps than there will be.
"""

import math
import statistics

from ...problem import Problem
from ...remedy import Remedy
from ..clipping import clip_less
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

_SMALL_STEP, _TINY_STEP, _NO_STEP, _USUAL_STEP = 2e-4, 1e-4, 1e-5, 1e-3
_SHORT_STEP = 3e-4
_MANY = 9
_CLEARLY, _LITTLE, _WELL, _UNFINISHED, _QUARTER = 0.02, 0.3, 0.5, 0.2, 0.25
_MODEST_STEP, _NEXT_TO_NOTHING, _SOME = 5e-4, 0.1, 0.4
_HURRIED_STEP, _BARELY = 2e-3, 0.2
_TENTH, _VERY_WELL = 0.1, 0.9
_CUT = 0.02
_NO_WAY, _SHORT_WAY, _ENDED, _MOST, _BELOW = 1e-3, 2e-2, 1e-2, 0.75, 0.3


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a schedule that will not come to its peak, or a loss that hardly falls."""
    found = _unfinished(vitals) or _still_warming(vitals) or _motionless(vitals)
    return found or _crawling(vitals) or _died_early(vitals) or _unhurried(vitals)


def _unfinished(vitals: Vitals) -> list[Symptom]:
    """A one-cycle schedule counted in steps, of which each epoch makes one."""
    if not vitals.schedule_share < _UNFINISHED or vitals.gain > _WELL or not vitals.had_a_chance:
        return []
    evidence = (
        f"The training makes {vitals.schedule_share:.1%} of the steps that its learning-rate "
        f"schedule was made for, and has come to a rate of {vitals.learning_rate:.2g}."
    )
    advice = "Step the schedule with the optimiser, not once in an epoch."
    remedies = (Remedy(advice, '{"scheduler": scheduler, "interval": "step"}'),)
    figures = {"share": vitals.schedule_share, "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, remedies, is_root=True)]


def _still_warming(vitals: Vitals) -> list[Symptom]:
    """A warm-up counted in steps, of which each epoch makes one: half the training has had none."""
    now, given = vitals.learning_rate, vitals.learning_rate_given
    rises = vitals.learning_rate_peak <= now < _TENTH * given
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    is_late = vitals.had_a_long_chance and vitals.planned_steps / 2 <= vitals.step
    # A schedule may multiply a rate that nobody would take, as Noam's does 1.
    if not (rises and is_late and 0 < max(updates, default=0.0) < _SMALL_STEP):
        return []
    if vitals.gain > _VERY_WELL:
        return []
    evidence = (
        f"After {vitals.step} of {vitals.planned_steps:.0f} steps one moves the weights by "
        f"{updates[-1]:.1e} of their length, where 1e-03 is usual.{_words_on_cause(vitals)}"
    )
    figures = {"update_ratio": updates[-1], "learning_rate": now}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals), is_root=True)]


def _motionless(vitals: Vitals) -> list[Symptom]:
    """Steps that will not have moved the weights to speak of when the training ends."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if len(updates) < 3 or not vitals.had_a_long_chance:
        return []
    steps = vitals.planned_steps if math.isfinite(vitals.planned_steps) else vitals.step
    way, knows = statistics.fmean(updates) * steps, vitals.objective.constant_loss > 0
    short = way < _NO_WAY and not (knows and vitals.gain > _LITTLE)
    short |= way < _SHORT_WAY and knows and vitals.gain < _NEXT_TO_NOTHING
    if not (short and way > 0):
        return []
    evidence = (
        f"All {steps:.0f} steps together move the weights by no more than {way:.1e} of their "
        f"length: each by 1e-03 is usual.{_words_on_cause(vitals)}"
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
                "Step the schedule once in an epoch.",
                '{"scheduler": scheduler, "interval": "epoch"}',
            ),
            Remedy("Let a schedule down over the whole training.", 'scheduler="cosine"'),
        )
    if _warms_up(vitals):
        return (
            Remedy(
                "Count the warm-up in steps, and step the schedule with the optimiser.",
                '{"scheduler": scheduler, "interval": "step"}',
            ),
            Remedy("Warm up for a few hundred steps at most."),
        )
    adapts = Remedy("Use an optimiser that adapts its steps.", 'optimizer="adam"')
    return (
        Remedy("Multiply the learning rate by ten.", vitals.rate_as_code(10)),
        Remedy("Let Lightning's tuner find one.", "Tuner(trainer).lr_find(model, data)"),
        *([adapts] if vitals.steps_by_gradients else []),
    )


def _is_cut_short(vitals: Vitals) -> bool:
    """Whether gradients are clipped to next to nothing, and the steps with them."""
    return vitals.steps_by_gradients and vitals.left_by_clipping < _CUT


def _is_let_down(vitals: Vitals) -> bool:
    """Whether a schedule has long taken the rate, which was none too low, to next to nothing."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if not updates or not max(updates) > _SMALL_STEP:
        return False
    long_ago = updates[int(_MOST * len(updates))] < _ENDED * max(updates)
    return long_ago and vitals.learning_rate < _ENDED * vitals.learning_rate_peak


def _warms_up(vitals: Vitals) -> bool:
    """Whether a schedule has not let the rate come near what it was given, and not down again."""
    now, peak = vitals.learning_rate, vitals.learning_rate_peak
    return now > 0.5 * peak and peak < _BELOW * vitals.learning_rate_given


def _words_on_cause(vitals: Vitals) -> str:
    if _is_cut_short(vitals):
        return f" Clipping shortens gradients to {vitals.left_by_clipping:.1g} of their length."
    if _warms_up(vitals):
        return (
            f" A schedule has let the learning rate come to {vitals.learning_rate:.2g} of "
            f"{vitals.learning_rate_given:.2g} in {vitals.step} steps."
        )
    if not _is_let_down(vitals):
        return ""
    return (
        f" In {vitals.step} steps a schedule has taken the learning rate from "
        f"{vitals.learning_rate_peak:.2g} to {vitals.learning_rate:.2g}."
    )


def _crawling(vitals: Vitals) -> list[Symptom]:
    """Steps that are small, and a loss that falls steadily by next to nothing."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if not vitals.one_loss or len(updates) < 3 or not vitals.had_a_chance:
        return []
    fast = max(updates) > _USUAL_STEP
    late = sum(update < _TINY_STEP for update in updates) < _QUARTER * len(updates)
    worked = vitals.gain > _LITTLE or (fast and late)
    if vitals.learning_rate < 0.5 * vitals.learning_rate_peak and worked:
        return []  # A schedule has let it down, after it had done its work, or had its chance.
    recent = statistics.median(updates[-5:])
    fell = 1 - vitals.recent_loss / vitals.initial_loss if vitals.initial_loss > 0 else math.nan
    if math.isnan(fell) and vitals.recent_loss < vitals.initial_loss:
        return []  # How much a loss below 0 has fallen is not known.
    falls = vitals.is_falling or vitals.validation_falls
    # What was always slow and only brought a first loss down to a constant's has learned nothing.
    knows = vitals.objective.constant_loss > 0 and not vitals.has_other_terms
    learned = min(fell, vitals.gain) if knows and not fast else fell
    if knows and vitals.validates_the_same_loss:
        # Noise of the labels and dropout are in the training loss alone.
        learned = max(learned, 1 - vitals.validation_losses[-1] / vitals.whole_scale)
    # The smaller the steps have been, the more a training could do with larger ones.
    small = recent < _SMALL_STEP and learned < _LITTLE
    small |= max(updates) < _SHORT_STEP and learned < _SOME
    # Of a parity, say, much less than half of the training sees nothing learned with good steps.
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    small |= late and max(updates) < _MODEST_STEP and learned < _NEXT_TO_NOTHING
    crawls = fell > 0 and falls and small
    # With steps of next to nothing a loss that looks better is noise.
    stands = recent < _TINY_STEP and not _has_learned(vitals, recent, fell) and not vitals.is_rising
    died_out = vitals.learning_rate <= 1e-3 * vitals.learning_rate_peak
    # What was once fast and has nothing more to learn gets slow by itself.
    slowed = fast and vitals.learning_rate > 0.1 * vitals.learning_rate_peak
    if slowed or not ((recent > 0 or died_out) and (crawls or stands)):
        return []
    what = f"fell by only {fell:.1%} in" if fell > 0 else "did not fall in"
    if 0 < learned < fell:
        what = f"is only {learned:.1%} below a constant's after"
    evidence = (
        f"The loss {what} {vitals.step} steps: a step moves the weights by {recent:.1e} of their "
        f"length, where about 1e-03 is usual.{_words_on_cause(vitals)}"
    )
    figures = {"update_ratio": recent, "fell": fell, "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals))]


def _died_early(vitals: Vitals) -> list[Symptom]:
    """A rate that was at next to nothing in the first third of the training."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    if len(updates) < _MANY or not vitals.step > vitals.planned_steps / 2 or vitals.gain > _WELL:
        return []
    # Of a plan that is not known, a third of what was done is none.
    share = vitals.step / vitals.planned_steps
    third = int(len(updates) / (3 * share))
    is_early = updates[third] < _NO_WAY * max(updates) and _is_let_down(vitals)
    if not is_early or vitals.waits_for_plateau or vitals.objective.of_positions:
        return []
    if not vitals.objective.constant_loss > 0:
        return []
    evidence = (
        f"The last two thirds of the training do nothing: a step moves the weights by "
        f"{updates[-1]:.1e} of their length.{_words_on_cause(vitals)}"
    )
    figures = {"update_ratio": updates[-1], "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals))]


def _unhurried(vitals: Vitals) -> list[Symptom]:
    """A loss that has fallen by little, and that falls at the end as fast as it did before.

    Or that has not come half the way, with steps that are all smaller than usual; or not nearly all
    of it, with steps that are a tenth of what is usual.
    """
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    largest = max(updates, default=0.0)
    if not 0 < largest < _HURRIED_STEP or vitals.is_muffled_at_first:
        return []
    tiny = largest < _SMALL_STEP and statistics.median(updates) < _TINY_STEP
    late = vitals.step >= _MOST * vitals.planned_steps
    goes_on = tiny and late and vitals.is_falling and vitals.validation_falls
    limit = _VERY_WELL if goes_on else _WELL if largest < _USUAL_STEP else _BARELY
    as_ever = vitals.falls_as_fast_as_ever
    if vitals.gain > limit or not (goes_on or as_ever):
        return []
    falls = "falls as fast as ever" if as_ever else "still falls"
    evidence = (
        f"After {vitals.step} of {vitals.planned_steps:.0f} steps the loss is only "
        f"{max(0.0, vitals.gain):.1%} below a constant's, and {falls}: a step moves "
        f"the weights by {statistics.median(updates):.1e} of their length."
    )
    figures = {"gain": vitals.gain, "learning_rate": vitals.learning_rate}
    problem = Problem.LEARNING_RATE_TOO_LOW
    return [Symptom(problem, "warning", evidence, figures, _remedies(vitals))]


def _has_learned(vitals: Vitals, step: float, fell: float) -> bool:
    """Whether more was learned than so small steps explain: the smaller, the more is noise."""
    if step < _NO_STEP or not vitals.has_learned:
        return vitals.gain > (_LITTLE if step < _NO_STEP else _CLEARLY)
    return vitals.gain > _LITTLE * _NO_STEP / step or fell > _LITTLE
