"""A penalty on the weights that is a large part of the loss, or that has taken the weights away."""

import math
import statistics

from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.levels import Gain, UpdateRatio
from ...vital_signs.vitals import Vitals

_MIN_PENALTY_SHARE = 0.5
_MIN_PENALTY_SHARE_IF_STUCK = 0.1
_MIN_PENALTY_SHARE_AT_FIRST = 0.05
_FIRST_LOOKS = 5
_MAX_RATIO_OF_TAKEN_WEIGHTS = 0.5


def find_penalty(vitals: Vitals) -> Finding | None:
    """Find a penalty that is a large part of the loss."""
    # A strong penalty drives the weights to 0 and is itself small in the end.
    shares = vitals.penalty_shares
    if not shares or not math.isfinite(vitals.recent_loss):
        return None  # The weight of a penalty is not what made the loss infinite.
    if vitals.has_data_loss_alone:
        return None  # A loss that is scaled or moved by a constant.
    first, last = statistics.median(shares[:10]), statistics.median(shares[-10:])
    share = max(first, last)
    # Where steps do not lower the loss, the penalty's gradient is as long as that of the data.
    steps = vitals.update_ratios[-5:]
    moves = bool(steps) and statistics.median(steps) > UpdateRatio.TINY
    stuck = moves and vitals.had_a_long_chance and vitals.gain < 0 and not vitals.is_falling
    if not share > (_MIN_PENALTY_SHARE_IF_STUCK if stuck else _MIN_PENALTY_SHARE):
        return None
    when = "of the loss is" if last == share else "of the first losses was"
    evidence = f"{share:.0%} {when} penalty, and the data loss is {vitals.recent_data_loss:.4g}."
    figures = {"share": share}
    return Finding("warning", evidence, figures, _remedies())


def find_holding_penalty(vitals: Vitals) -> Finding | None:
    """Find a penalty that is most of the loss, has taken most weights, and leaves much to learn.

    Where training stalls, the penalty's gradient is as long as that of the data.
    """
    if not vitals.is_past_half or vitals.is_falling or vitals.has_data_loss_alone:
        return None
    share = statistics.median(vitals.penalty_shares[-10:] or [0.0])
    if not (share > _MIN_PENALTY_SHARE and vitals.growth < _MAX_RATIO_OF_TAKEN_WEIGHTS):
        return None
    if not vitals.gain < Gain.HARMLESS:
        return None
    evidence = (
        f"{share:.0%} of the loss is penalty. It has shrunk the weights to {vitals.growth:.0%} of "
        f"their initial norm, and the data loss has stalled at {vitals.recent_data_loss:.4g}, "
        f"{vitals.gain:.0%} below that of the best constant prediction."
    )
    figures = {"share": share, "growth": vitals.growth}
    return Finding("warning", evidence, figures, _remedies(), reports=3)


def find_vanished_penalty(vitals: Vitals) -> Finding | None:
    """Find a penalty that has taken most of the weights away, and is itself small since then."""
    first = statistics.median(vitals.penalty_shares[:_FIRST_LOOKS] or [0.0])
    if not (first > _MIN_PENALTY_SHARE_AT_FIRST and vitals.growth < _MAX_RATIO_OF_TAKEN_WEIGHTS):
        return None
    if vitals.has_data_loss_alone or not (vitals.is_poor and vitals.had_a_long_chance):
        return None
    evidence = (
        f"{first:.0%} of the first losses was penalty. It has shrunk the weights to "
        f"{vitals.growth:.0%} of their initial norm, and the data loss is "
        f"{vitals.recent_data_loss:.4g}."
    )
    figures = {"first_share": first, "growth": vitals.growth}
    return Finding("warning", evidence, figures, _remedies())


def _remedies() -> tuple[Remedy, ...]:
    return (
        Remedy("Divide the penalty by a hundred."),
        Remedy("Remove it until the network fits the training data.", "l2=0.0, l1=0.0"),
    )
