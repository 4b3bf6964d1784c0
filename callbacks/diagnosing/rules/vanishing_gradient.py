"""Gradients that get lost on the way back, where nothing is learned.

AUTOTRAINER compares the norms of the first and the last layer (ratio below 1e-3, first below
1e-4). Here they are per parameter, so that a layer's size does not decide, and a network that
learns well is left alone: residual and normalised ones do with such ratios.
"""

from ....functional.gradient_flow import vanishing_from
from ...diagnosis import Severity
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals


def examine(vitals: Vitals) -> list[Symptom]:
    """Find the layer from which on the gradients are lost."""
    begins = vanishing_from(list(vitals.gradient_profile.values()))
    if begins is None or vitals.gain > 0.5 or not vitals.one_loss:
        return []
    layers, values = list(vitals.gradient_profile), list(vitals.gradient_profile.values())
    ratio = values[0] / values[-1]
    severity: Severity = "warning" if vitals.has_learned else "critical"
    share = f"{ratio:.1e} times that of {layers[-1]}" if ratio else "0"
    evidence = (
        f"From {layers[begins]} on towards the input the gradients vanish: per parameter, that of "
        f"{layers[0]} is {share}."
    )
    remedies = (
        Remedy("Use an activation that does not saturate.", 'activation="relu"'),
        Remedy("Use an initialisation that fits the activation.", 'init="auto"'),
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy("Add shortcuts around the layers, or take fewer of them.", "ResNetClassifier(...)"),
    )
    return [
        Symptom(
            Problem.VANISHING_GRADIENT, severity, evidence, {"ratio": ratio}, remedies,
            layers[begins], reports=3,
        )
    ]  # fmt: skip
