"""Gradients that grow out of proportion, over time or through the layers.

Over time: the norm is far above its own median for two reports in a row. The usual rule (ZClip:
z > 2.5 on a moving average of decay 0.97) clips single peaks, which healthy runs have; a diagnosis
needs a lasting change, by orders of magnitude. Through the layers: AUTOTRAINER takes a ratio of 70
between the first and last layer; here, per parameter and without the input's scale, it is 1,000.
"""

import statistics

from ....functional.gradient_flow import exploding_from
from ...diagnosis import Severity
from ...problem import Problem
from ...remedy import Remedy
from ..rounding import as_multiple
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

_MIN_RATIO_OF_GROWTH = 100.0
_MIN_RATIO_OF_GROWTH_WHEN_WORSE = 30.0  # Far worse than the best constant prediction.
_MIN_NORMS_BEFORE = 5
_MIN_GAIN_OF_STATES = 1.05
_MIN_RATIO_AT_ONCE = 1e4
_FIRST_NORMS = 5
_FEW_LAYERS = 3
_MIN_RATIO_WITHOUT_LAST_LAYER = 30.0
_MIN_STEPS_UNCLEARED = 4
_MIN_HARMLESS_GAIN = 0.9


def examine(vitals: Vitals) -> list[Symptom]:
    """Find gradients that are never cleared, left their range for good, or grow on the way back."""
    if vitals.uncleared >= _MIN_STEPS_UNCLEARED:
        return _uncleared(vitals)
    if threw := _through_states(vitals):
        return threw
    if vitals.is_well:
        return []
    return [*_in_time(vitals), *_through_layers(vitals), *_through_sequences(vitals)]


def _remedies(usual: float) -> tuple[Remedy, ...]:
    return (
        Remedy(
            "Clip the gradients at their usual norm.", f"Trainer(gradient_clip_val={usual:.2g})"
        ),
        Remedy("Use an initialisation that suits the activation.", 'init="auto"'),
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy("Lower the learning rate."),
    )


def _uncleared(vitals: Vitals) -> list[Symptom]:
    """Report steps along the sum of all gradients so far, even where training goes well for now."""
    evidence = (
        f"Gradients were not zeroed between {vitals.uncleared + 1} consecutive steps: each step "
        "follows the sum of all gradients so far."
    )
    remedies = (Remedy("Zero the gradients before each backward pass.", "optimizer.zero_grad()"),)
    figures, problem = {"steps": float(vitals.uncleared)}, Problem.EXPLODING_GRADIENT
    severity: Severity = "info" if vitals.gain > _MIN_HARMLESS_GAIN else "critical"
    return [Symptom(problem, severity, evidence, figures, remedies, reports=1, is_root=True)]


def _in_time(vitals: Vitals) -> list[Symptom]:
    totals = _totals(vitals)
    if len(totals) < _MIN_NORMS_BEFORE + 2:
        return []
    usual, now = statistics.median(totals[:-2]), min(totals[-2:])
    if not now > _MIN_RATIO_OF_GROWTH * usual > 0:
        return []
    evidence = f"The gradient norm has grown from {usual:.2g} to {now:.2g}."
    figures = {"usual_norm": usual, "norm": now}
    return [Symptom(Problem.EXPLODING_GRADIENT, "critical", evidence, figures, _remedies(usual))]


def _through_states(vitals: Vitals) -> list[Symptom]:
    """Find states that recurrent weights amplify, and a gradient that this blew up at once."""
    totals, gain = _totals(vitals), vitals.recurrent_gain
    if vitals.clip_norm > 0 or vitals.clips_itself:
        return []  # However long a gradient is, its step is not.
    if len(totals) < 2 or not gain > _MIN_GAIN_OF_STATES or not totals[0] > 0:
        return []
    highest = max(totals[:_FIRST_NORMS])
    if not highest > _MIN_RATIO_AT_ONCE * totals[0] or vitals.gain > _MIN_HARMLESS_GAIN:
        return []
    evidence = (
        f"Recurrent weights multiply the state by about {gain:.2g} at each time step, and the "
        f"gradient norm grew from {totals[0]:.2g} to {highest:.2g} within the first steps."
    )
    remedies = (
        Remedy("Clip the gradients.", "Trainer(gradient_clip_val=1.0)"),
        Remedy("Initialise the recurrent weights orthogonally.", "nn.init.orthogonal_(weight_hh)"),
        Remedy("Use a gated recurrent layer.", "nn.LSTM(features, hidden)"),
    )
    figures, problem = {"recurrent_gain": gain, "norm": highest}, Problem.EXPLODING_GRADIENT
    return [
        Symptom(
            problem, "critical", evidence, figures, remedies, vitals.recurrent_layer, reports=1,
            is_root=True,
        )
    ]  # fmt: skip


def _through_layers(vitals: Vitals) -> list[Symptom]:
    profile = vitals.gradient_profile
    begins = exploding_from(list(profile.values()))
    if begins is None or not vitals.had_a_chance:
        return []
    layers, values = list(profile), list(profile.values())
    # One of several heads may have a loss that is small compared with another's.
    if (
        len(values) > _FEW_LAYERS
        and exploding_from(values[:-1], _MIN_RATIO_WITHOUT_LAST_LAYER) is None
    ):
        return []
    ratio = values[1] / values[-1]
    usual = statistics.median(_totals(vitals) or [1.0])
    evidence = (
        f"Per parameter, the gradient of {layers[1]} is {as_multiple(ratio)} that of "
        f"{layers[-1]}: it grows from {layers[begins]} on towards the input."
    )
    return [
        Symptom(
            Problem.EXPLODING_GRADIENT, "critical", evidence, {"ratio": ratio}, _remedies(usual),
            layers[begins], reports=3,
        )
    ]  # fmt: skip


def _through_sequences(vitals: Vitals) -> list[Symptom]:
    profile = vitals.time_profile
    if len(profile) < 3 or not vitals.had_a_chance or not profile[-1] > 0:
        return []
    ratio = profile[0] / profile[-1]
    if not ratio > (_MIN_RATIO_OF_GROWTH_WHEN_WORSE if vitals.gain < -1 else _MIN_RATIO_OF_GROWTH):
        return []
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
    return [
        Symptom(
            Problem.EXPLODING_GRADIENT, "critical", evidence, {"ratio": ratio}, remedies,
            vitals.recurrent_layer, reports=3, is_root=vitals.gain < 0,
        )
    ]  # fmt: skip


def _totals(vitals: Vitals) -> list[float]:
    totals: list[float] = vitals.gradients.table.nan_to_num().square().sum(0).sqrt().tolist()
    return totals
