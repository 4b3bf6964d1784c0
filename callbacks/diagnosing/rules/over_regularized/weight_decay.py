"""Weight decay that outweighs the gradients, or that takes weights away.

A decay may be added to the gradients, as by SGD and Adam, which it then outweighs or balances. Or
it may be decoupled from them, as by AdamW (Loshchilov and Hutter, 2019), and shrink the weights by
itself.
"""

import math
import statistics

from ....remedy import Remedy
from ...clipping import clip_less
from ...symptom import Finding
from ...vital_signs.levels import RECENT_CHECKS, Gain, UpdateRatio
from ...vital_signs.vitals import Vitals

_MIN_WEIGHT_DECAY = 0.05
_HUGE_WEIGHT_DECAY = 0.5
_HIGH_LEARNING_RATE = 0.03
# The usual 0.01 at a rate of 1e-3 takes 1e-5, which halves weights in 70,000 steps, not 70.
_MAX_DECAY_IN_A_STEP = 0.01
_MIN_SHARE_SHRUNK = 0.3
_MAX_RATIO_OF_TAKEN_WEIGHTS = 0.5
_MAX_RATIO_OF_LOST_GRADIENT = 1e-8
_MIN_PULL_TO_HOLD = 0.5  # Norm of what decay adds to the gradients, over theirs.

_FIRST_UPDATES = 5
_MIN_FALL_SHARE = 0.02

_MAX_GAIN_IF_OUTWEIGHED = 0.65
_SOME_GAIN_IF_UNKNOWN = 0.05  # Where the loss of the best constant prediction is unknown.


def find_weight_decay(vitals: Vitals) -> Finding | None:
    """Find a decay that outweighs the gradients, takes weights, or lets nothing be learned."""
    pulls = [pull for pull in vitals.decay_pulls if math.isfinite(pull)]
    if vitals.decay_outweighs and vitals.gain <= _MAX_GAIN_IF_OUTWEIGHED:
        return _beside_gradients(vitals, statistics.median(pulls), 1.0)
    if pulls and (lost := _lost_tables(vitals)):
        return lost
    # Harm done by huge first steps is not due to a usual decay. (Later steps are relatively large
    # where decay has shrunk the weights.)
    peak = max(vitals.update_ratios[:_FIRST_UPDATES], default=0.0)
    if vitals.weight_decay < _HUGE_WEIGHT_DECAY and peak > UpdateRatio.HUGE:
        return None
    taken = vitals.growth < _MAX_RATIO_OF_TAKEN_WEIGHTS
    if vitals.weight_decay >= _MIN_WEIGHT_DECAY and taken and _stands(vitals):
        return _taken(vitals)
    if vitals.weight_decay * vitals.learning_rate_peak > _MAX_DECAY_IN_A_STEP and _stands(vitals):
        return _takes(vitals)
    return _learns_nothing(vitals, adds=bool(pulls))


def find_balanced_decay(vitals: Vitals) -> Finding | None:
    """Find a decay that balances the gradients while much is left to learn.

    If it is half as large as they are in the first steps, when they are largest, it equals them at
    some lower loss, and that is where training stalls.
    """
    pulls = [pull for pull in vitals.decay_pulls if math.isfinite(pull)]
    if not (pulls and vitals.is_past_half and vitals.gain < Gain.HARMLESS and vitals.growth < 1):
        return None
    pull = statistics.median(pulls)
    if not pull > _MIN_PULL_TO_HOLD:
        return None
    return _beside_gradients(vitals, pull, _MIN_PULL_TO_HOLD)


def _learns_nothing(vitals: Vitals, *, adds: bool) -> Finding | None:
    """Find a large decay, with almost nothing learned.

    Args:
        vitals: The vital signs.
        adds: Whether the decay is added to the gradients.
    """
    huge = vitals.weight_decay >= _HUGE_WEIGHT_DECAY
    # With no constant prediction to compare with, part of a loss may be all there is to learn.
    some = Gain.SOME if vitals.objective.constant_loss > 0 else _SOME_GAIN_IF_UNKNOWN
    learned = vitals.gain > some if huge else vitals.has_learned
    # How much was learned of a loss below 0, or of one that was never seen, nobody can tell.
    unseen = not vitals.losses or math.isfinite(vitals.recent_loss)
    learned |= math.isnan(vitals.gain) and unseen
    falls = vitals.is_falling and not (huge and vitals.growth < _MAX_RATIO_OF_TAKEN_WEIGHTS)
    if vitals.weight_decay < _MIN_WEIGHT_DECAY or learned or falls:
        return None
    # A decay that has shrunk the weights by less than a quarter so far has held nothing back.
    shrunk = vitals.weight_decay * vitals.learning_rate_peak * vitals.step
    if not adds and shrunk < _MIN_SHARE_SHRUNK:
        return None
    evidence = f"The weight decay is {vitals.weight_decay:g}, and next to nothing is learned."
    figures = {"weight_decay": vitals.weight_decay}
    return Finding("warning", evidence, figures, (_less_decay(vitals),))


def _stands(vitals: Vitals) -> bool:
    """Whether the loss, of validation where that is known, no longer falls."""
    checks = vitals.validation_losses
    if len(checks) <= RECENT_CHECKS:
        return vitals.had_a_long_chance and not vitals.is_falling
    before, recent = min(checks[:-RECENT_CHECKS]), min(checks[-RECENT_CHECKS:])
    return vitals.had_a_long_chance and recent > (1 - _MIN_FALL_SHARE) * before


def _taken(vitals: Vitals) -> Finding:
    """Report a decay that left less than half of the weights, with a loss that has stalled."""
    evidence = (
        f"The weight decay of {vitals.weight_decay:g} has shrunk the weights to "
        f"{vitals.growth:.0%} of their initial norm, and the loss has stalled at "
        f"{vitals.recent_loss:.4g}."
    )
    figures = {"weight_decay": vitals.weight_decay, "growth": vitals.growth}
    return Finding("warning", evidence, figures, (_less_decay(vitals),), reports=3)


def _takes(vitals: Vitals) -> Finding:
    """Report a decay that each step must first make up for, with a loss that has stalled."""
    taken = vitals.weight_decay * vitals.learning_rate_peak
    evidence = (
        f"At a learning rate of {vitals.learning_rate_peak:.2g} the weight decay of "
        f"{vitals.weight_decay:g} takes {taken:.1%} off the weights in each step, and the loss "
        f"has stalled at {vitals.recent_loss:.4g}."
    )
    figures = {"weight_decay": vitals.weight_decay, "taken": taken}
    rate = Remedy(
        "Divide the learning rate by ten: the decay is multiplied by it.", vitals.rate_as_code(0.1)
    )
    remedies = (_less_decay(vitals), rate)
    # The decay is usual, but the rate is not.
    if vitals.learning_rate_peak >= _HIGH_LEARNING_RATE and not vitals.steps_by_gradients:
        remedies = (rate, _less_decay(vitals))
    return Finding("warning", evidence, figures, remedies, reports=3)


def _lost_tables(vitals: Vitals) -> Finding | None:
    """Find factors that a decay has driven to 0, where each scales the other's gradient."""
    sizes = vitals.gradient_profile
    if (
        vitals.layers
        or len(sizes) < 2
        or not 0 < min(sizes.values()) < _MAX_RATIO_OF_LOST_GRADIENT * max(sizes.values())
    ):
        return None
    name = min(sizes, key=sizes.__getitem__)
    evidence = (
        f"The weight decay of {vitals.weight_decay:g} is added to the gradients, and has driven "
        f"{name} to 0: per parameter its gradient is {sizes[name]:.1g}."
    )
    figures = {"weight_decay": vitals.weight_decay, "gradient": sizes[name]}
    remedies = _decay_remedies(vitals)
    return Finding("warning", evidence, figures, remedies)


def _beside_gradients(vitals: Vitals, pull: float, least: float) -> Finding | None:
    """Report a decay that is so large beside the gradients, or the clipping that makes it so."""
    decay, left = vitals.weight_decay, vitals.left_by_clipping
    figures, remedies = {"weight_decay": decay, "pull": pull}, _decay_remedies(vitals)
    if pull * left > least:
        evidence = (
            f"The weight decay of {decay:g} is added to the gradients, and was {pull:.2g} times as "
            "large as they were in the first steps."
        )
        return Finding("warning", evidence, figures, remedies)
    if vitals.steps_by_gradients:
        return None  # Steps that are short because of it are reported by `learning_rate_too_low`.
    evidence = (
        f"Clipping scales gradients down to {left:.1g} of their norm, and the weight decay of "
        f"{decay:g} that is added to that was {pull:.2g} times as large in the first steps."
    )
    remedies = (clip_less(vitals.usual_gradient), *remedies)
    return Finding("warning", evidence, {**figures, "left": left}, remedies)


def _less_decay(vitals: Vitals) -> Remedy:
    code = f"weight_decay={vitals.weight_decay / 100:.2g}"
    return Remedy("Divide the optimiser's weight decay by a hundred.", code)


def _decay_remedies(vitals: Vitals) -> tuple[Remedy, ...]:
    return (
        Remedy("Decouple the weight decay from the gradients.", 'optimizer="adamw"'),
        _less_decay(vitals),
    )
