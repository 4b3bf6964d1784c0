"""Sigmoids and tanhs in their flat regions, where no gradient passes.

Judged by the share of outputs where the derivative is almost 0 (DeepDiagnosis: pre-activation of 5
or more), in most of a layer. The network's output is left out: a confident one is saturated.
"""

import statistics

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import RECENT_CHECKS, Gain
from ..vital_signs.vitals import LOUD, Vitals

_MAX_SHARE_SATURATED = 0.7
_MIN_SHARE_SWITCHING = 0.85
_MOST_SWITCHING = 0.9
_MIN_SHARE_HALF_SHUT = 0.5
_RECENT_LOOKS = 10
_MIN_RATIO_TO_TRAINING = 2.0
_MIN_SHARE_OF_SCALE = 0.2
_MIN_SHARE_OF_ERRORS = 0.2


def examine(vitals: Vitals) -> Finding | None:
    """Find the first hidden layer that is mostly saturated."""
    shares = {s: share for s, share in vitals.saturated.last.items() if share == share}
    sites = list(vitals.saturated.last)
    for output in sites[len(sites) - vitals.squashed_outputs :]:
        shares.pop(output, None)
    saturated = {site: share for site, share in shares.items() if share > _MAX_SHARE_SATURATED}
    half_shut = _is_half_shut(vitals, shares)
    if half_shut:
        first = next(iter(shares))
        saturated = {first: shares[first], **saturated}
    if not saturated:
        return None
    site = next(iter(saturated))
    # A network in which every layer switches may learn, but only step functions.
    switches = len(shares) > 1 and _switch(list(shares.values()))
    hurts = switches or half_shut or _costs(vitals, site) or _holds_up(vitals, site)
    fine = vitals.is_well and not hurts
    severity: Severity = "info" if fine or not vitals.had_a_chance else "warning"
    evidence = (
        f"{saturated[site]:.0%} of the outputs of {site} are saturated: hardly any gradient passes."
    )
    if more := len(saturated) - 1:
        evidence += f" So are those of {more} other layer{'s' if more > 1 else ''}."
    remedies = (
        Remedy("Use an activation that does not saturate.", 'activation="relu"'),
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy("Standardise the inputs."),
        Remedy("Use an initialisation that suits the activation.", 'init="auto"'),
    )
    figures = {"saturated_share": saturated[site], "layers": float(len(saturated))}
    return Finding(severity, evidence, figures, remedies, site)


def _switch(shares: list[float]) -> bool:
    """Whether all layers hardly do anything but switch, most of them nothing else."""
    most = min(shares) > _MAX_SHARE_SATURATED and statistics.median(shares) > _MOST_SWITCHING
    return most or min(shares) > _MIN_SHARE_SWITCHING


def _holds_up(vitals: Vitals, site: str) -> bool:
    """Whether it was saturated all along, and the loss plateaus with less than half learned.

    Where weights initialised many times too large are the cause, the network generalises badly,
    however small the loss becomes.
    """
    least = min(vitals.saturated.of(site))
    if not vitals.had_a_long_chance:
        return False
    if vitals.misinitialized:
        return least > _MIN_SHARE_HALF_SHUT
    stands = vitals.gain < Gain.GOOD and not (vitals.is_falling or vitals.validation_falls)
    return least > _MAX_SHARE_SATURATED and stands


def _costs(vitals: Vitals, site: str) -> bool:
    """Whether half of it was saturated from the start, and the network generalises badly."""
    recent = vitals.checked_losses[-RECENT_CHECKS:]
    if not vitals.had_a_long_chance or not vitals.saturated.of(site)[0] > _MIN_SHARE_HALF_SHUT:
        return False
    if not recent:
        return _decides_worse(vitals)
    if len(recent) < RECENT_CHECKS or vitals.evaluates_late:
        return False
    least = _MIN_SHARE_OF_SCALE * vitals.whole_scale
    return all(
        check > _MIN_RATIO_TO_TRAINING * loss > 0 and check > least for check, loss in recent
    )


def _decides_worse(vitals: Vitals) -> bool:
    """Whether validation, of which only a score is known, has over twice the errors of training."""
    scores, right = vitals.validation_scores[-RECENT_CHECKS:], vitals.accuracies[-_RECENT_LOOKS:]
    known = len(scores) == RECENT_CHECKS and len(right) == _RECENT_LOOKS
    if not (known and vitals.scores_are_accuracies):
        return False
    errors = 1 - max(scores)
    return errors > max(
        _MIN_SHARE_OF_ERRORS, _MIN_RATIO_TO_TRAINING * (1 - statistics.fmean(right))
    )


def _is_half_shut(vitals: Vitals, shares: dict[str, float]) -> bool:
    """Whether the first weights, initialised too large, saturate half of their outputs."""
    first = next((layer for layer in vitals.layers if layer.ran), None)
    if first is None or not first.weight_gain > LOUD or not vitals.gain <= Gain.GOOD:
        return False
    return next(iter(shares.values()), 0.0) > _MIN_SHARE_HALF_SHUT
