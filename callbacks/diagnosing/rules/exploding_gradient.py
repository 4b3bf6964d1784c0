"""Gradients that grow out of proportion, over time or through the layers.

Over time: the norm is far above its own median for two reports in a row. The usual rule (ZClip:
z > 2.5 on a moving average of decay 0.97) clips single peaks, which healthy runs have; a diagnosis
needs a lasting change, by orders of magnitude. Through the layers: AUTOTRAINER takes a ratio of 70
between the first and last layer; here, per parameter and without the input's scale, it is 1,000.
"""

import statistics

from ....functional.gradient_flow import exploding_from
from ...diagnosis import Severity
from ...remedy import Remedy
from ..rounding import as_multiple
from ..symptom import Finding
from ..vital_signs.levels import Gain
from ..vital_signs.vitals import Vitals

_MIN_RATIO_OF_GROWTH = 100.0
_MIN_RATIO_OF_GROWTH_WHEN_WORSE = 30.0  # Far worse than the best constant prediction.
_MIN_NORMS_BEFORE = 5
_MIN_GAIN_OF_STATES = 1.05
_MIN_RATIO_AT_ONCE = 1e4
_FIRST_NORMS = 5
_FEW_LAYERS = 3
_MIN_RATIO_WITHOUT_LAST = 30.0
_MIN_STEPS_UNCLEARED = 4


def examine(vitals: Vitals) -> Finding | None:
    """Find gradients that are never cleared, left their range for good, or grow on the way back."""
    if vitals.uncleared >= _MIN_STEPS_UNCLEARED:
        return _uncleared(vitals)
    if threw := _through_states(vitals):
        return threw
    if vitals.is_well:
        return None
    return _in_time(vitals) or _through_layers(vitals) or _through_sequences(vitals)


def _remedies(usual: float) -> tuple[Remedy, ...]:
    return (
        Remedy(
            "Clip the gradients at their usual norm.", f"Trainer(gradient_clip_val={usual:.2g})"
        ),
        Remedy("Use an initialisation that suits the activation.", 'init="auto"'),
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy("Lower the learning rate."),
    )


def _uncleared(vitals: Vitals) -> Finding:
    """Report steps along the sum of all gradients so far, even where training goes well for now."""
    evidence = (
        f"Gradients were not zeroed between {vitals.uncleared + 1} consecutive steps: each step "
        "follows the sum of all gradients so far."
    )
    remedies = (Remedy("Zero the gradients before each backward pass.", "optimizer.zero_grad()"),)
    figures = {"steps": float(vitals.uncleared)}
    severity: Severity = "info" if vitals.gain > Gain.EXCELLENT else "critical"
    return Finding(severity, evidence, figures, remedies, reports=1, is_root=True)


def _in_time(vitals: Vitals) -> Finding | None:
    totals = _totals(vitals)
    if len(totals) < _MIN_NORMS_BEFORE + 2:
        return None
    usual, now = statistics.median(totals[:-2]), min(totals[-2:])
    if not now > _MIN_RATIO_OF_GROWTH * usual > 0:
        return None
    evidence = f"The gradient norm has grown from {usual:.2g} to {now:.2g}."
    figures = {"usual_norm": usual, "norm": now}
    return Finding("critical", evidence, figures, _remedies(usual))


def _through_states(vitals: Vitals) -> Finding | None:
    """Find states that recurrent weights amplify, and a gradient that this blew up at once."""
    totals, gain = _totals(vitals), vitals.recurrent_gain
    if vitals.clip_norm > 0 or vitals.clips_itself:
        return None  # However long a gradient is, its step is not.
    if len(totals) < 2 or not gain > _MIN_GAIN_OF_STATES or not totals[0] > 0:
        return None
    highest = max(totals[:_FIRST_NORMS])
    if not highest > _MIN_RATIO_AT_ONCE * totals[0] or vitals.gain > Gain.EXCELLENT:
        return None
    evidence = (
        f"Recurrent weights multiply the state by about {gain:.2g} at each time step, and the "
        f"gradient norm grew from {totals[0]:.2g} to {highest:.2g} within the first steps."
    )
    remedies = (
        Remedy("Clip the gradients.", "Trainer(gradient_clip_val=1.0)"),
        Remedy("Initialise the recurrent weights orthogonally.", "nn.init.orthogonal_(weight_hh)"),
        Remedy("Use a gated recurrent layer.", "nn.LSTM(features, hidden)"),
    )
    figures = {"recurrent_gain": gain, "norm": highest}
    return Finding(
        "critical", evidence, figures, remedies, vitals.recurrent_layer, reports=1, is_root=True
    )


def _through_layers(vitals: Vitals) -> Finding | None:
    profile = vitals.gradient_profile
    begins = exploding_from(list(profile.values()))
    if begins is None or not vitals.had_a_chance:
        return None
    layers, values = list(profile), list(profile.values())
    # One of several heads may have a loss that is small compared with another's.
    if len(values) > _FEW_LAYERS and exploding_from(values[:-1], _MIN_RATIO_WITHOUT_LAST) is None:
        return None
    ratio = values[1] / values[-1]
    usual = statistics.median(_totals(vitals) or [1.0])
    evidence = (
        f"Per parameter, the gradient of {layers[1]} is {as_multiple(ratio)} that of "
        f"{layers[-1]}: it grows from {layers[begins]} on towards the input."
    )
    return Finding(
        "critical", evidence, {"ratio": ratio}, _remedies(usual), layers[begins], reports=3
    )


def _through_sequences(vitals: Vitals) -> Finding | None:
    profile = vitals.time_profile
    if len(profile) < 3 or not vitals.had_a_chance or not profile[-1] > 0:
        return None
    ratio = profile[0] / profile[-1]
    if not ratio > (_MIN_RATIO_OF_GROWTH_WHEN_WORSE if vitals.gain < -1 else _MIN_RATIO_OF_GROWTH):
        return None
    evidence = (
        f"The gradient of the last output of {vitals.recurrent_layer} grows on its way back "
        f"through {len(profile)} time steps, to {as_multiple(ratio)} its size."
    )
    usual = statistics.median(_totals(vitals) or [1.0])
    remedies = (
        Remedy("Initialise the recurrent weights orthogonally.", "nn.init.orthogonal_(weight_hh)"),
        Remedy("Use a gated recurrent layer.", "nn.LSTM(features, hidden)"),
        *_remedies(usual)[:1],
    )
    layer, is_root = vitals.recurrent_layer, vitals.gain < 0
    return Finding(
        "critical", evidence, {"ratio": ratio}, remedies, layer, reports=3, is_root=is_root
    )


def _totals(vitals: Vitals) -> list[float]:
    totals: list[float] = vitals.gradients.table.nan_to_num().square().sum(0).sqrt().tolist()
    return totals
