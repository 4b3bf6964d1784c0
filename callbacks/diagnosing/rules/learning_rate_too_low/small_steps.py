"""Steps that hardly move the weights, or the loss, in all of the training or for too long."""

import math
import statistics

from ...rounding import as_share
from ...symptom import Finding
from ...vital_signs.levels import Gain, UpdateRatio
from ...vital_signs.vitals import Vitals
from .causes import ways_to_longer_steps, words_on_cause

# Of a step's length to that of the weights.
_NEGLIGIBLE_UPDATE_RATIO = 1e-5
_SHORT_UPDATE_RATIO = 3e-4
_MODEST_UPDATE_RATIO = 5e-4
_HURRIED_UPDATE_RATIO = 2e-3
_MIN_SHARE_OF_TINY = 0.25  # Of all updates.
_MIN_SHARE_AT_FIRST = 0.75  # Of the usual length of a step.
_LATE_SHARE_OF_STEPS = 0.75

# Path of all steps together, in lengths of the weights.
_NO_WAY_OF_ALL_STEPS = 1e-3
_SHORT_WAY_OF_ALL_STEPS = 2e-2
_LITTLE_WAY_OF_ALL_STEPS = 5e-2

# Share taken off the loss of the best constant prediction (the constant baseline).
_MAX_GAIN_WITH_SHORT_STEPS = 0.4


def find_motionless(vitals: Vitals) -> Finding | None:
    """Find steps that together will hardly have moved the weights when training ends."""
    updates = vitals.update_ratios
    if len(updates) < 3 or not vitals.had_a_long_chance:
        return None
    steps = vitals.planned_steps if math.isfinite(vitals.planned_steps) else vitals.step
    way, knows = statistics.fmean(updates) * steps, vitals.objective.constant_loss > 0
    short = way < _NO_WAY_OF_ALL_STEPS and not (knows and vitals.gain > Gain.LITTLE)
    # Whatever it started from, a network whose loss still falls in each epoch has more to learn.
    learned = vitals.learned if vitals.epochs_fall else vitals.gain
    short |= way < _SHORT_WAY_OF_ALL_STEPS and knows and learned < Gain.HARDLY_ANY
    short |= way < _LITTLE_WAY_OF_ALL_STEPS and knows and vitals.gain < Gain.SOME
    if not (short and way > 0):
        return None
    evidence = (
        f"All {steps:.0f} steps together move the weights by no more than {as_share(way)} of "
        f"their length, where 0.1% in each is usual.{words_on_cause(vitals)}"
    )
    figures = {"way": way, "update_ratio": updates[-1], "learning_rate": vitals.learning_rate}
    return Finding("warning", evidence, figures, ways_to_longer_steps(vitals))


def find_crawling(vitals: Vitals) -> Finding | None:
    """Find small steps, with a loss that falls steadily by almost nothing."""
    updates = vitals.update_ratios
    if not vitals.one_loss or len(updates) < 3 or not vitals.had_a_chance:
        return None
    fast = max(updates) > UpdateRatio.USUAL
    if _has_done_its_work(vitals, updates):
        return None
    recent = statistics.median(updates[-5:])
    fell = 1 - vitals.recent_loss / vitals.initial_loss if vitals.initial_loss > 0 else math.nan
    if math.isnan(fell) and not vitals.recent_loss >= vitals.initial_loss:
        return None  # How much a loss below 0 has fallen is unknown, as is one that began unseen.
    learned = _learned_slowly(vitals, fell, fast=fast)
    falls = vitals.is_falling or vitals.validation_falls
    crawls = fell > 0 and falls and _asks_for_longer_steps(vitals, updates, learned)
    # With negligible steps, a loss that looks better is noise.
    stands = (
        recent < UpdateRatio.TINY
        and not _has_learned(vitals, recent, fell)
        and not vitals.is_rising
    )
    died_out = vitals.learning_rate <= 1e-3 * vitals.learning_rate_peak
    # A run that was once fast slows down by itself when nothing is left to learn.
    slowed = fast and vitals.learning_rate > 0.1 * vitals.learning_rate_peak
    slowed &= not (crawls and _has_ebbed(vitals, updates, learned))
    if slowed or not ((recent > 0 or died_out) and (crawls or stands)):
        return None
    what = f"fell by only {as_share(fell)} in" if fell > 0 else "did not fall in"
    if 0 < learned < fell:
        what = f"is only {as_share(learned)} below that of the best constant prediction after"
    evidence = (
        f"The loss {what} {vitals.step} steps: each step moves the weights by {as_share(recent)} "
        f"of their length, where about 0.1% is usual.{words_on_cause(vitals)}"
    )
    figures = {"update_ratio": recent, "fell": fell, "learning_rate": vitals.learning_rate}
    return Finding("warning", evidence, figures, ways_to_longer_steps(vitals))


def _has_done_its_work(vitals: Vitals, updates: list[float]) -> bool:
    """Whether a schedule decayed the rate only after it had done its work, or had its chance."""
    fast = max(updates) > UpdateRatio.USUAL
    tiny = sum(update < UpdateRatio.TINY for update in updates)
    worked = fast and tiny < _MIN_SHARE_OF_TINY * len(updates)
    let_down = vitals.learning_rate < 0.5 * vitals.learning_rate_peak
    return let_down and (worked or vitals.gain > Gain.LITTLE)


def _has_ebbed(vitals: Vitals, updates: list[float], learned: float) -> bool:
    """Whether steps that were long at first are short before much is learned.

    Adagrad's shrink with each step: more is left to learn if, after half of the training, both the
    training and the validation loss still fall steadily.
    """
    falls = vitals.is_falling and vitals.validation_falls
    ends = vitals.step >= _LATE_SHARE_OF_STEPS * vitals.planned_steps
    limit = UpdateRatio.USUAL if ends else _MODEST_UPDATE_RATIO
    is_short = statistics.median(updates) < limit
    return vitals.is_past_half and falls and is_short and learned < Gain.HARDLY_ANY


def _learned_slowly(vitals: Vitals, fell: float, *, fast: bool) -> float:
    """Return the share of the loss that learning removed; some may show in validation alone.

    A run that was always slow and only came down to the constant baseline has learned nothing.
    """
    knows = vitals.objective.constant_loss > 0 and not vitals.has_added_terms
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
    return (
        _has_ebbed(vitals, updates, learned)
        or (recent < UpdateRatio.SMALL and learned < Gain.LITTLE)
        or (longest < _SHORT_UPDATE_RATIO and learned < _MAX_GAIN_WITH_SHORT_STEPS)
        or (vitals.is_past_half and longest < _MODEST_UPDATE_RATIO and learned < Gain.HARDLY_ANY)
    )


def _has_learned(vitals: Vitals, step: float, fell: float) -> bool:
    """Whether more was learned than noise explains: the smaller the steps, the more is noise."""
    if step < _NEGLIGIBLE_UPDATE_RATIO:
        return vitals.gain > Gain.LITTLE
    enough = Gain.LITTLE * _NEGLIGIBLE_UPDATE_RATIO / step
    return vitals.has_learned and (vitals.gain > enough or fell > Gain.LITTLE)


def find_unhurried(vitals: Vitals) -> Finding | None:
    """Find a loss that has fallen by little, and that falls at the end as fast as it did before.

    Little is less than half of what there is to learn where all steps are smaller than usual, and
    less than nearly all of it where they are a tenth of the usual size.
    """
    updates = vitals.update_ratios
    largest = max(updates, default=0.0)
    if not 0 < largest < _HURRIED_UPDATE_RATIO or vitals.sigmoids_hardly_varied_at_first:
        return None
    tiny = largest < UpdateRatio.SMALL and statistics.median(updates) < UpdateRatio.TINY
    late = vitals.step >= _LATE_SHARE_OF_STEPS * vitals.planned_steps
    goes_on = tiny and late and vitals.is_falling and vitals.validation_falls
    at_usual = Gain.LITTLE if late else Gain.SOME
    limit = Gain.GOOD if largest < UpdateRatio.USUAL else at_usual
    limit = Gain.EXCELLENT if goes_on else limit
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
    if not (max(updates) < _MODEST_UPDATE_RATIO and vitals.gain < Gain.LITTLE):
        return False
    first = statistics.median(updates[: max(1, len(updates) // 4)])
    return vitals.keeps_its_pace and first > _MIN_SHARE_AT_FIRST * statistics.median(updates)
