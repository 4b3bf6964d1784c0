"""How optimiser steps that are too large harm training."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..monitoring.layers import plain_layer
from ..monitoring.recording.record import Record
from .vital_signs.vitals import Vitals

# Length of a step over that of the weights.
_USUAL_UPDATE_RATIO = 1e-3
_LARGE_UPDATE_RATIO = 1e-2
_MAX_UPDATE_RATIO_OF_NOISE = 3e-2
_HUGE_UPDATE_RATIO = 1e-1  # The limit of TheDeepChecker.
_MIN_UPDATE_RATIO_TO_THROW = 0.2
_MIN_GROWTH_OF_WEIGHTS = 3.0
_MIN_GROWTH_WITH_FIRST_STEPS = 2.0
_MIN_GROWTH_WHILE_FALLING = 4.0
_MIN_FIRST_UPDATE_RATIO = 5e-2

# Share by which the loss is below the constant baseline, that of the best constant prediction.
_LITTLE_GAIN = 0.3
_GOOD_GAIN = 0.5
_MAX_GAIN_WHEN_TURNED = 0.9
_VERY_GOOD_GAIN = 0.7

_MIN_RISE_SHARE = 0.25  # Of the scale of the loss.
_MIN_RISE_SHARE_WHEN_TURNED = 0.03
_MAX_RATIO_CLEARLY_BELOW = 0.95
_MIN_RATIO_AT_PLATEAU = 0.97
_MIN_SHARE_OF_STEPS_LOST = 0.5  # Of the planned steps.
_MIN_RATIO_OF_THROWN_LOSS = 4.0
_MIN_RATIO_OF_BLOWN_LOSS = 10.0
_BATCHES_TO_BLOW_UP = 50
_MIN_RATIO_OF_A_SUM = 1.1
_FIRST_UPDATES = 5
_RECENT_UPDATES = 3
_LATE_UPDATES = 5
_RECENT_LOOKS = 10
_RECENT_CHECKS = 3
_CHECKS_TO_SEE_JUMPS = 10
_MIN_MEAN_JUMP_OF_ACCURACY = 0.1
_MIN_MEAN_JUMP_OF_LOSS = 0.05  # Of the scale of the loss.
_MIN_UPDATE_RATIO_TO_JUMP = 5e-3
_MIN_SHARE_OF_BEST_LOST = 0.1  # Of the scale of the loss, at most checks since.
_MIN_SHARE_OF_BEST_LOST_FOR_GOOD = 0.02  # At all of them.
_MIN_RATIO_TO_TRAINING_THEN = 0.9

# What was learned and forgotten, as a share of the constant baseline.
_MIN_SHARE_FORGOTTEN = 0.2
_MIN_SHARE_FORGOTTEN_SOON = 0.1
_MAX_SHARE_STILL_KNOWN = 0.1
_STANDARD_ERRORS_TO_BE_SURE = 8.0
_BATCHES_IN_A_ROW = 5
_BATCHES_OF_A_WINDOW = 20
_BATCHES_OF_A_LONG_TRAINING = 400

# Units that have become dead or saturated.
_MAX_SHARE_AT_FIRST = 0.2
_MAX_SHARE_DEAD = 0.5
_MAX_SHARE_SATURATED = 0.85


@dataclass(frozen=True)
class Steps:
    """Lengths of the reported steps, relative to those of the weights.

    Attributes:
        number: Number of reported steps.
        typical: Median of all.
        recent: Median of the last three.
        late: Median of the last five.
        peak: The longest.
        lasting: The longest, with the first five counting as their median: Adam's very first steps
            are large relative to small weights.
    """

    number: int
    typical: float
    recent: float
    late: float
    peak: float
    lasting: float

    @classmethod
    def of(cls, updates: Sequence[float]) -> "Steps | None":
        """Summarise the update ratios of all reports; None if none is known."""
        known = [update for update in updates if math.isfinite(update)]
        if not known:
            return None
        first, later = known[:_FIRST_UPDATES], known[_FIRST_UPDATES:]
        return cls(
            len(known),
            typical=statistics.median(known),
            recent=statistics.median(known[-_RECENT_UPDATES:]),
            late=statistics.median(known[-_LATE_UPDATES:]),
            peak=max(known),
            lasting=max(statistics.median(first), *later, 0.0),
        )


def do_harm(vitals: Vitals, steps: Steps) -> bool:
    """Whether a run with enough steps to make progress was harmed in any of the known ways."""
    return vitals.had_a_chance and any(harm(vitals, steps) for harm in _harms())


def _harms() -> tuple[Callable[[Vitals, Steps], bool], ...]:
    """Return the tests for the known kinds of harm, any of which is enough."""
    return (
        _keeps_from_learning, _is_undone, _is_far_off, _is_hurt, _has_turned, _validation_jumps,
        _validation_loss_jumps, _has_lost_its_best, _has_cost_half, _have_led_away,
        _have_replaced_weights, _is_forgotten, _is_forgotten_soon,
    )  # fmt: skip


def finite_curve(vitals: Vitals) -> list[float]:
    """Return the loss curve without its non-finite values."""
    return [value for value in vitals.curve if math.isfinite(value)]


def _keeps_from_learning(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss rose, is unstable or has stalled, and steps are large enough to be why."""
    stuck = not _came_down(vitals) and not vitals.is_falling
    # Many networks stay at the constant baseline for a while before they make progress. If there is
    # nothing to learn they stay there for good, with steps that noise alone makes large.
    lost = stuck and (
        (steps.recent > _LARGE_UPDATE_RATIO and vitals.is_worse_than_constant)
        or (steps.recent > _MAX_UPDATE_RATIO_OF_NOISE and vitals.had_a_long_chance)
        or (
            steps.peak > _HUGE_UPDATE_RATIO
            and (vitals.is_worse_than_constant or vitals.had_a_long_chance)
        )
    )
    rages = steps.recent > _HUGE_UPDATE_RATIO and not vitals.is_well
    shaken = stuck and vitals.had_a_long_chance and _first_layer_step(vitals) > _HUGE_UPDATE_RATIO
    # Steps look short relative to weights that such steps have made long.
    grown = vitals.growth if vitals.growth > _MIN_GROWTH_OF_WEIGHTS else 1.0
    rises = steps.recent * grown > _LARGE_UPDATE_RATIO and _rose(vitals)
    return rises or lost or rages or shaken


def _rose(vitals: Vitals) -> bool:
    """Whether the loss has doubled since its best, unless that is still next to nothing."""
    best = min(finite_curve(vitals), default=math.nan)
    return best > 0 and (
        vitals.recent_loss - best > max(best, _MIN_RISE_SHARE * vitals.whole_scale)
    )


def _came_down(vitals: Vitals) -> bool:
    """Whether something was learned; for a loss below 0, whose gain is unknown, whether it fell."""
    fell = vitals.recent_loss < min(vitals.losses[0], vitals.initial_loss)
    return vitals.has_learned or (math.isnan(vitals.gain) and fell)


def _first_layer_step(vitals: Vitals) -> float:
    """Return the length of the first steps relative to a layer's weights, median over the layers.

    In the ratio of the whole network, large embeddings and norms hide it.
    """
    names = {plain_layer(layer.name) for layer in vitals.layers}
    # The name of a custom module's matrix is appended to that of the module.
    known_as = {name: {name, name.rpartition(".")[0]} for name in vitals.updates.last}
    firsts = [
        vitals.updates.of(name)[:_FIRST_UPDATES] for name in known_as if known_as[name] & names
    ]
    known = [[step for step in first if math.isfinite(step)] for first in firsts]
    return statistics.median([statistics.median(steps) for steps in known if steps] or [0.0])


def _is_undone(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss stays above that of the untrained network and the constant baseline."""
    knows = vitals.objective.constant_loss > 0 and bool(vitals.data_losses)
    if not steps.lasting > _HUGE_UPDATE_RATIO or not knows or not vitals.gain < 0:
        return False
    first, last = vitals.data_losses[0], vitals.data_losses[-_RECENT_LOOKS:]
    return min(last) > first and vitals.recent_data_loss - first > _MIN_RISE_SHARE * vitals.scale


def _is_far_off(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss is over twice the constant baseline, with steps that were large once.

    Once weights have grown, later steps are small relative to them.
    """
    constant, looks = vitals.objective.constant_loss, vitals.data_losses[-_RECENT_LOOKS:]
    known = constant > 0 and bool(looks)
    if not (known and vitals.is_worse_than_constant) or vitals.is_falling:
        return False
    return (
        steps.lasting > _MAX_UPDATE_RATIO_OF_NOISE
        and vitals.gain < -1
        and statistics.median(looks) > 2 * constant
    )


def _is_hurt(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps that were huge beyond the first ones left a network that never generalised.

    Its validation loss was never clearly below the constant baseline.
    """
    checks, constant = vitals.validation_losses, vitals.validation_constant
    if not steps.lasting > _HUGE_UPDATE_RATIO or not constant > 0 or len(checks) < _RECENT_CHECKS:
        return False
    if not vitals.had_a_long_chance or vitals.evaluates_late or not vitals.gain < _LITTLE_GAIN:
        return False
    return vitals.validates_the_same_loss and min(checks) > _MAX_RATIO_CLEARLY_BELOW * constant


def _has_turned(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps that are still large have raised training and validation loss for good."""
    checks, curve = vitals.validation_losses, finite_curve(vitals)
    if (
        not (steps.recent > _LARGE_UPDATE_RATIO and steps.lasting > _HUGE_UPDATE_RATIO)
        or not vitals.gain < _MAX_GAIN_WHEN_TURNED
    ):
        return False
    if len(checks) < 2 * _RECENT_CHECKS or not curve or vitals.evaluates_late or vitals.is_falling:
        return False
    rose = vitals.recent_loss - min(curve) > _MIN_RISE_SHARE_WHEN_TURNED * vitals.whole_scale
    rose &= vitals.recent_loss > vitals.curve[len(vitals.curve) // 2]
    return rose and (
        min(checks[-_RECENT_CHECKS:]) - min(checks)
        > _MIN_RISE_SHARE_WHEN_TURNED * vitals.whole_scale
    )


def _validation_jumps(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps that are still large make the validation accuracy jump up and down."""
    scores = vitals.validation_scores[-_CHECKS_TO_SEE_JUMPS:]
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    if not (late and vitals.scores_are_accuracies) or len(scores) < _CHECKS_TO_SEE_JUMPS:
        return False
    jumps = statistics.fmean(abs(after - before) for before, after in pairwise(scores))
    return steps.late > _LARGE_UPDATE_RATIO and jumps > _MIN_MEAN_JUMP_OF_ACCURACY


def _validation_loss_jumps(vitals: Vitals, steps: Steps) -> bool:
    """Whether large steps keep a loss high that goes up and down in validation.

    Where there is nothing more to learn, such steps change the validation loss by less.
    """
    checks, scale = vitals.validation_losses[-_CHECKS_TO_SEE_JUMPS:], vitals.whole_scale
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    if not late or len(checks) < 2 * _RECENT_CHECKS or not vitals.gain < _LITTLE_GAIN:
        return False
    if vitals.is_falling or vitals.evaluates_late or not vitals.validates_the_same_loss:
        return False
    jumps = statistics.fmean(abs(after - before) for before, after in pairwise(checks))
    return steps.late > _MIN_UPDATE_RATIO_TO_JUMP and jumps > _MIN_MEAN_JUMP_OF_LOSS * scale > 0


def _has_lost_its_best(vitals: Vitals, steps: Steps) -> bool:
    """Whether validation was once clearly better and training was not worse: no over-fitting.

    The first steps were large for each layer, which the ratio of the whole network may hide.
    """
    checks, curve = vitals.validation_losses, finite_curve(vitals)
    if not (vitals.had_a_long_chance and vitals.step >= vitals.planned_steps / 2) or not curve:
        return False
    if not vitals.validates_the_same_loss or vitals.evaluates_late:
        return False
    best = checks.index(min(checks, default=math.nan)) if all(map(math.isfinite, checks)) else 0
    since = checks[best + 1 :]
    if len(checks) < 2 * _RECENT_CHECKS or len(since) < _RECENT_CHECKS:
        return False
    until_then = curve[: max(1, len(curve) * (best + 1) // len(checks))]
    return (
        _first_layer_step(vitals) > _HUGE_UPDATE_RATIO
        and statistics.median(since) - checks[best] > _MIN_SHARE_OF_BEST_LOST * vitals.whole_scale
        and min(since) - checks[best] > _MIN_SHARE_OF_BEST_LOST_FOR_GOOD * vitals.whole_scale
        and vitals.recent_loss > _MIN_RATIO_TO_TRAINING_THEN * min(until_then)
    )


def _has_cost_half(vitals: Vitals, steps: Steps) -> bool:
    """Whether half of the planned steps were spent at the constant baseline, and some were huge."""
    constant = vitals.whole_constant
    known = constant > 0 and math.isfinite(vitals.planned_steps) and bool(vitals.curve)
    if (
        not (known and steps.lasting > _HUGE_UPDATE_RATIO and vitals.gain < _LITTLE_GAIN)
        or vitals.has_other_terms
    ):
        return False
    lost = sum(loss > _MIN_RATIO_AT_PLATEAU * constant for loss in vitals.curve) / len(vitals.curve)
    return lost * vitals.step > _MIN_SHARE_OF_STEPS_LOST * vitals.planned_steps


def _have_led_away(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps have tripled the length of the weights, and nothing was learned."""
    known = vitals.gain <= 0 and vitals.had_a_long_chance and not vitals.has_raw_inputs
    return (
        known
        and steps.lasting > _LARGE_UPDATE_RATIO
        and vitals.growth > _MIN_GROWTH_OF_WEIGHTS
        and not vitals.misinitialized
    )


def _have_replaced_weights(vitals: Vitals, steps: Steps) -> bool:
    """Whether large steps have replaced the first weights with others that have learned little.

    Half of the planned steps must be done. A falling loss is given time, unless the weights are
    four times as long.
    """
    late = vitals.had_a_long_chance and vitals.step >= vitals.planned_steps / 2
    if not late or vitals.misinitialized or not vitals.objective.task:
        return False
    enough = _MIN_GROWTH_WHILE_FALLING if vitals.is_falling else _MIN_GROWTH_WITH_FIRST_STEPS
    return (
        vitals.gain < _LITTLE_GAIN
        and steps.lasting > _MIN_FIRST_UPDATE_RATIO
        and vitals.growth > enough
        and _first_layer_step(vitals) > _HUGE_UPDATE_RATIO
    )


def blew_up(vitals: Vitals, steps: Steps) -> bool:
    """Whether a huge step soon made the loss ten times the first, and nothing was learned since."""
    start, highest = vitals.losses[0], max(vitals.losses[:_BATCHES_TO_BLOW_UP])
    blew = start > 0 and highest > _MIN_RATIO_OF_BLOWN_LOSS * start
    return blew and steps.peak > _HUGE_UPDATE_RATIO and not _came_down(vitals)


def is_thrown(vitals: Vitals, steps: Steps) -> bool:
    """Whether first steps as long as the weights raised the loss beyond recovery.

    One step of that length, or several of a good part of it.
    """
    constant = vitals.objective.constant_loss
    start = max(vitals.losses[0], constant * vitals.sum_of if constant > 0 else 0.0)
    several = steps.number >= _FIRST_UPDATES and steps.lasting > _MIN_UPDATE_RATIO_TO_THROW
    is_one = steps.peak > 1
    # It takes more to recover from a single step as long as the weights.
    enough = _VERY_GOOD_GAIN if is_one else _GOOD_GAIN
    is_far = start > 0 and vitals.highest_first_loss > _MIN_RATIO_OF_THROWN_LOSS * start
    return is_far and vitals.gain < enough and (is_one or (several and not vitals.is_falling))


def _is_forgotten(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss fell well below the constant baseline, beyond noise, and is back at it."""
    constant, curve = vitals.objective.constant_loss, finite_curve(vitals)
    if not steps.typical > _USUAL_UPDATE_RATIO:
        return False
    # In a regression that learns from its own predictions, targets grow.
    if vitals.objective.task == "regression":
        return False
    if not constant > 0 or vitals.has_learned or vitals.has_other_terms or not vitals.one_loss:
        return False
    window = len(vitals.losses) // max(1, len(curve))
    if window < _BATCHES_OF_A_WINDOW or not curve or vitals.sum_of > _MIN_RATIO_OF_A_SUM:
        return False
    means = [statistics.fmean(vitals.losses)] * len(vitals.losses)
    spread = math.dist(vitals.losses, means) / math.sqrt(len(means) - 1)
    error = spread / math.sqrt(window)
    return constant - min(curve) > max(_MIN_SHARE_FORGOTTEN * constant, 4 * error)


def _is_forgotten_soon(vitals: Vitals, steps: Steps) -> bool:
    """The same for a few batches of a short run, beyond the noise of the batches since."""
    constant, losses = vitals.objective.constant_loss, vitals.losses
    if not steps.typical > _USUAL_UPDATE_RATIO:
        return False
    if vitals.objective.task == "regression" or not constant > 0:
        return False
    if (
        vitals.has_learned
        or vitals.has_other_terms
        or vitals.is_falling
        or vitals.sum_of > _MIN_RATIO_OF_A_SUM
    ):
        return False
    late = losses[-_BATCHES_OF_A_WINDOW:]
    is_short = 3 * _BATCHES_OF_A_WINDOW <= len(losses) < _BATCHES_OF_A_LONG_TRAINING
    if not is_short or not all(map(math.isfinite, losses)):
        return False
    noise = statistics.stdev(late) / math.sqrt(_BATCHES_IN_A_ROW)
    means = [
        statistics.fmean(losses[i : i + _BATCHES_IN_A_ROW])
        for i in range(len(losses) - 2 * _BATCHES_OF_A_WINDOW)
    ]
    stands = statistics.fmean(late) > (1 - _MAX_SHARE_STILL_KNOWN) * constant
    return stands and constant - min(means) > max(
        _MIN_SHARE_FORGOTTEN_SOON * constant, _STANDARD_ERRORS_TO_BE_SURE * noise
    )


def what_died(vitals: Vitals, steps: Steps) -> str:
    """Describe the units that huge steps have left dead or saturated; empty if there are none."""
    # A loss above the constant baseline is as much evidence as larger steps.
    enough = _MAX_UPDATE_RATIO_OF_NOISE if vitals.is_worse_than_constant else _HUGE_UPDATE_RATIO
    if not steps.lasting > enough or not vitals.had_a_chance or not vitals.gain <= _VERY_GOOD_GAIN:
        return ""
    saturated = _grown(vitals.saturated, _MAX_SHARE_SATURATED, vitals.squashed_outputs)
    if saturated:
        return f"{saturated} outputs are saturated"
    if vitals.gain > _GOOD_GAIN and vitals.is_falling:
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
