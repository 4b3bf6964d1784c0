"""Dropout so high that little is learned, or that training stays far worse than validation."""

import math

from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.levels import RECENT_CHECKS, Gain
from ...vital_signs.vitals import Vitals

_HIGH_DROPOUT = 0.5
_EXTREME_DROPOUT = 0.8
_LITTLE_SHARE_LET_THROUGH = 0.1
_TINY_SHARE_LET_THROUGH = 0.02

_MIN_RATIO_TO_VALIDATION = 1.5
_MIN_SHARE_OF_SCALE = 0.5
_MIN_RATIO_OF_A_SUM = 1.5


def find_dropout(vitals: Vitals) -> Finding | None:
    """Find dropout that keeps the network from fitting."""
    return _lets_nothing_through(vitals) or _far_above_validation(vitals)


def _lets_nothing_through(vitals: Vitals) -> Finding | None:
    """Find dropout that is extreme, or applied too often, with little learned."""
    high = [rate for rate in vitals.dropouts if rate >= _HIGH_DROPOUT]
    # The share that passes all of them; two layers of a half each are usual.
    let_through = math.prod(1 - rate for rate in high)
    extreme = vitals.dropout >= _EXTREME_DROPOUT
    # Dropout rescales what it lets through; an enormous loss has other causes.
    extreme |= let_through <= _LITTLE_SHARE_LET_THROUGH and not vitals.gain < -1
    most = Gain.GOOD if let_through <= _TINY_SHARE_LET_THROUGH else Gain.LITTLE
    if not (extreme and vitals.had_a_long_chance and vitals.gain < most):
        return None
    places = f" in {len(high)} places" if len(high) > 1 else ""
    knows = vitals.objective.constant_loss > 0 and bool(vitals.data_losses)
    loss = vitals.recent_data_loss if knows else vitals.recent_loss
    start = "that of the best constant prediction" if knows else "what it was at first"
    better = f"only {vitals.gain:.0%} below" if vitals.gain > Gain.LITTLE else "hardly better than"
    evidence = (
        f"With dropout of {vitals.dropout:g}{places} the training loss is {loss:.4g}, "
        f"{better} {start}."
    )
    figures = {"dropout": vitals.dropout}
    return Finding("warning", evidence, figures, (_less_dropout(vitals),))


def _far_above_validation(vitals: Vitals) -> Finding | None:
    """Find a training loss far above that of validation, where dropout is off."""
    recent = vitals.checked_losses[-RECENT_CHECKS:]
    if vitals.dropout < _HIGH_DROPOUT or len(recent) < RECENT_CHECKS:
        return None
    if not all(check > 0 for check, _ in recent):
        return None
    above = min(loss / check for check, loss in recent)
    check, loss = recent[-1]
    # Label smoothing raises the training loss and seldom that of validation, as does a factor.
    if vitals.sum_of <= _MIN_RATIO_OF_A_SUM or vitals.validates_the_data_loss:
        above = min(above, vitals.recent_data_loss / check)
    # Where the validation loss is good, its distance from the training loss does not matter.
    if above < _MIN_RATIO_TO_VALIDATION or check < _MIN_SHARE_OF_SCALE * vitals.scale:
        return None
    evidence = (
        f"With dropout of {vitals.dropout:g} the training loss is {loss:.4g}, and the validation "
        f"loss {check:.4g}."
    )
    figures = {"dropout": vitals.dropout, "ratio": above}
    return Finding("warning", evidence, figures, (_less_dropout(vitals),))


def _less_dropout(vitals: Vitals) -> Remedy:
    return Remedy("Use less dropout.", f"dropout={vitals.dropout / 2:.2g}")
