"""Small steps with a loss that falls steadily, and yet has come down by almost nothing."""

import math
import statistics

from ...rounding import as_share
from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .causes import ways_to_longer_steps, words_on_cause

# Of a step's length to that of the weights.
_NEGLIGIBLE_UPDATE_RATIO = 1e-5
_TINY_UPDATE_RATIO = 1e-4
_SMALL_UPDATE_RATIO = 2e-4
_SHORT_UPDATE_RATIO = 3e-4
_MODEST_UPDATE_RATIO = 5e-4
_USUAL_UPDATE_RATIO = 1e-3
_LATE_SHARE_OF_STEPS = 0.75
_MIN_SHARE_OF_TINY = 0.25  # Of all updates.

# Share taken off the loss of the best constant prediction (the constant baseline).
_HARDLY_ANY_GAIN = 0.1
_LITTLE_GAIN = 0.3
_MAX_GAIN_WITH_SHORT_STEPS = 0.4


def find_crawling(vitals: Vitals) -> Finding | None:
    """Find small steps, with a loss that falls steadily by almost nothing."""
    updates = vitals.update_ratios
    if not vitals.one_loss or len(updates) < 3 or not vitals.had_a_chance:
        return None
    fast = max(updates) > _USUAL_UPDATE_RATIO
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
        recent < _TINY_UPDATE_RATIO
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
    falls = vitals.is_falling and vitals.validation_falls
    ends = vitals.step >= _LATE_SHARE_OF_STEPS * vitals.planned_steps
    limit = _USUAL_UPDATE_RATIO if ends else _MODEST_UPDATE_RATIO
    is_short = statistics.median(updates) < limit
    return vitals.is_past_half and falls and is_short and learned < _HARDLY_ANY_GAIN


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
        or (recent < _SMALL_UPDATE_RATIO and learned < _LITTLE_GAIN)
        or (longest < _SHORT_UPDATE_RATIO and learned < _MAX_GAIN_WITH_SHORT_STEPS)
        or (vitals.is_past_half and longest < _MODEST_UPDATE_RATIO and learned < _HARDLY_ANY_GAIN)
    )


def _has_learned(vitals: Vitals, step: float, fell: float) -> bool:
    """Whether more was learned than noise explains: the smaller the steps, the more is noise."""
    if step < _NEGLIGIBLE_UPDATE_RATIO:
        return vitals.gain > _LITTLE_GAIN
    enough = _LITTLE_GAIN * _NEGLIGIBLE_UPDATE_RATIO / step
    return vitals.has_learned and (vitals.gain > enough or fell > _LITTLE_GAIN)
