"""Large steps that keep the training loss from falling, drive it up, or lose what was learned."""

import math
import statistics

from .....functional.loss_curve import share_above
from ...vital_signs.levels import Gain, UpdateRatio
from ...vital_signs.vitals import Vitals
from .steps import Steps, first_layer_step

# Length of a step over that of the weights.
_MAX_UPDATE_RATIO_OF_NOISE = 3e-2
_MIN_UPDATE_RATIO_TO_THROW = 0.2
_MIN_GROWTH_OF_WEIGHTS = 3.0
_FIRST_UPDATES = 5


_MIN_RISE_SHARE = 0.25  # Of the scale of the loss.
_RECENT_LOOKS = 10
_MIN_RATIO_AT_PLATEAU = 0.97
_MIN_SHARE_OF_STEPS_LOST = 0.5  # Of the planned steps.
_MIN_RATIO_OF_THROWN_LOSS = 4.0
_MIN_RATIO_OF_BLOWN_LOSS = 10.0
_BATCHES_LOST = 5
_BATCHES_TO_BLOW_UP = 50
_VERY_FEW_SAMPLES = 8
_MIN_SHARE_OF_WORSE_BATCHES = 0.75
_MIN_RATIO_OF_A_SUM = 1.1

# What was learned and forgotten, as a share of the constant baseline.
_MIN_SHARE_FORGOTTEN = 0.2
_MIN_SHARE_FORGOTTEN_SOON = 0.1
_MAX_SHARE_STILL_KNOWN = 0.1
_STANDARD_ERRORS_TO_BE_SURE = 8.0
_BATCHES_IN_A_ROW = 5
_BATCHES_OF_A_WINDOW = 20
_BATCHES_OF_A_LONG_TRAINING = 400


def keeps_from_learning(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss rose, is unstable or has stalled, and steps are large enough to be why."""
    stuck = not _came_down(vitals) and not vitals.is_falling
    poor = vitals.is_worse_than_constant
    # Many networks stay at the constant baseline for a while before they make progress. If there is
    # nothing to learn they stay there for good, with steps that noise alone makes large.
    lost = stuck and (
        (steps.recent > UpdateRatio.LARGE and poor)
        or (steps.recent > _MAX_UPDATE_RATIO_OF_NOISE and vitals.had_a_long_chance)
        or (steps.peak > UpdateRatio.HUGE and (poor or vitals.had_a_long_chance))
    )
    rages = steps.recent > UpdateRatio.HUGE and not vitals.is_well
    shaken = stuck and vitals.had_a_long_chance and first_layer_step(vitals) > UpdateRatio.HUGE
    # Steps look short relative to weights that such steps have made long.
    grown = vitals.growth if vitals.growth > _MIN_GROWTH_OF_WEIGHTS else 1.0
    rises = steps.recent * grown > UpdateRatio.LARGE and _rose(vitals)
    return rises or lost or rages or shaken


def _rose(vitals: Vitals) -> bool:
    """Whether the loss has doubled since its best, unless that is still next to nothing."""
    best = min(vitals.finite_curve, default=math.nan)
    return (
        best > 0
        and vitals.recent_loss - best > max(best, _MIN_RISE_SHARE * vitals.whole_scale)
        and not _was_lucky(vitals)
    )


def _was_lucky(vitals: Vitals) -> bool:
    """Whether the best window is so by a few outliers, its other batches being like those of now.

    With very few samples in a batch, noise and steps that are too large are hard to tell apart.
    """
    if 0 < vitals.batch_size * vitals.ranks <= _VERY_FEW_SAMPLES:
        return False
    share = share_above(vitals.recent_losses, vitals.best_losses)
    return share < _MIN_SHARE_OF_WORSE_BATCHES


def _came_down(vitals: Vitals) -> bool:
    """Whether something was learned; for a loss below 0, whose gain is unknown, whether it fell."""
    fell = vitals.recent_loss < min(vitals.losses[0], vitals.initial_loss)
    return vitals.has_learned or (math.isnan(vitals.gain) and fell)


def is_undone(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss stays above that of the untrained network and the constant baseline."""
    knows = vitals.objective.constant_loss > 0 and bool(vitals.data_losses)
    if not steps.lasting > UpdateRatio.HUGE or not knows or not vitals.gain < 0:
        return False
    first, last = vitals.data_losses[0], vitals.data_losses[-_RECENT_LOOKS:]
    return min(last) > first and vitals.recent_data_loss - first > _MIN_RISE_SHARE * vitals.scale


def is_far_off(vitals: Vitals, steps: Steps) -> bool:
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


def has_cost_half(vitals: Vitals, steps: Steps) -> bool:
    """Whether half of the planned steps were spent at the constant baseline, and some were huge."""
    constant = vitals.whole_constant
    known = constant > 0 and bool(vitals.curve)
    if not (known and steps.lasting > UpdateRatio.HUGE) or vitals.has_added_terms:
        return False
    if not vitals.gain < Gain.LITTLE:
        return False
    lost = sum(loss > _MIN_RATIO_AT_PLATEAU * constant for loss in vitals.curve) / len(vitals.curve)
    return lost * vitals.step > _MIN_SHARE_OF_STEPS_LOST * vitals.planned_steps


def blew_up(vitals: Vitals, steps: Steps) -> bool:
    """Whether a huge step soon made the loss ten times the first, and nothing was learned since."""
    start, highest = vitals.losses[0], max(vitals.losses[:_BATCHES_TO_BLOW_UP])
    blew = start > 0 and highest > _MIN_RATIO_OF_BLOWN_LOSS * start
    return blew and steps.peak > UpdateRatio.HUGE and not _came_down(vitals)


def ran_away(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss grew to ten times the first, with large steps, and is no longer finite."""
    start, recent = vitals.losses[0], vitals.losses[-_BATCHES_LOST:]
    if any(map(math.isfinite, recent)) or not steps.recent > UpdateRatio.LARGE:
        return False
    highest = max(filter(math.isfinite, vitals.losses), default=math.nan)
    return start > 0 and highest > _MIN_RATIO_OF_BLOWN_LOSS * start


def is_thrown(vitals: Vitals, steps: Steps) -> bool:
    """Whether first steps as long as the weights raised the loss beyond recovery.

    One step of that length, or several of a good part of it.
    """
    constant = vitals.objective.constant_loss
    start = max(vitals.losses[0], constant * vitals.sum_of if constant > 0 else 0.0)
    several = steps.number >= _FIRST_UPDATES and steps.lasting > _MIN_UPDATE_RATIO_TO_THROW
    is_one = steps.peak > 1
    # It takes more to recover from a single step as long as the weights.
    enough = Gain.VERY_GOOD if is_one else Gain.GOOD
    is_far = start > 0 and vitals.highest_first_loss > _MIN_RATIO_OF_THROWN_LOSS * start
    return is_far and vitals.gain < enough and (is_one or (several and not vitals.is_falling))


def is_forgotten(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss fell well below the constant baseline, beyond noise, and is back at it."""
    # In a regression that learns from its own predictions, targets grow.
    if not steps.typical > UpdateRatio.USUAL or vitals.objective.task == "regression":
        return False
    if not vitals.objective.constant_loss > 0 or vitals.has_learned:
        return False
    if vitals.has_other_terms or vitals.sum_of > _MIN_RATIO_OF_A_SUM:
        return False
    return _knew_for_a_window(vitals) or _knew_for_a_few_batches(vitals)


def _knew_for_a_window(vitals: Vitals) -> bool:
    constant, losses, curve = vitals.objective.constant_loss, vitals.losses, vitals.finite_curve
    window = len(losses) // max(1, len(curve))
    if window < _BATCHES_OF_A_WINDOW or not curve:
        return False
    means = [statistics.fmean(losses)] * len(losses)
    error = math.dist(losses, means) / math.sqrt((len(losses) - 1) * window)
    return constant - min(curve) > max(_MIN_SHARE_FORGOTTEN * constant, 4 * error)


def _knew_for_a_few_batches(vitals: Vitals) -> bool:
    """The same in a short run, beyond the noise of the batches since."""
    constant, losses = vitals.objective.constant_loss, vitals.losses
    late = losses[-_BATCHES_OF_A_WINDOW:]
    is_short = 3 * _BATCHES_OF_A_WINDOW <= len(losses) < _BATCHES_OF_A_LONG_TRAINING
    if not is_short or vitals.is_falling or not all(map(math.isfinite, losses)):
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
