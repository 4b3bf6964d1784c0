"""Labels that have nothing to do with the inputs.

A network learns by heart what it cannot explain: its training loss comes down, while validation is
never better than a constant. Where it has not the capacity to, the loss stays at that of a
constant, with nothing wrong in the network: gradients flow and weights move as they should.
"""

import math
import statistics

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals

_BY_HEART, _CHECKS = 0.3, 3
_USUAL_STEPS = (1e-4, 3e-2)
_NEAR = 0.05


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a training that carries over to nothing, or that learns no more than a constant."""
    return _by_heart(vitals) or _constant(vitals)


def _symptom(vitals: Vitals, evidence: str, reports: int) -> list[Symptom]:
    remedies = (
        Remedy("Look at inputs and labels side by side: were they shuffled apart?"),
        Remedy("See that training and validation data get the same preprocessing."),
        Remedy("See whether the network can learn 16 samples by heart.", "overfit_batches=1"),
    )
    figures = {"constant_loss": vitals.objective.constant_loss, "gain": vitals.gain}
    problem = Problem.INCONSISTENT_LABELS
    return [Symptom(problem, "critical", evidence, figures, remedies, reports=reports)]


def _by_heart(vitals: Vitals) -> list[Symptom]:
    constant, checks = vitals.objective.constant_loss, vitals.validation_losses
    if not constant > 0 or len(checks) < _CHECKS or not vitals.gain > _BY_HEART:
        return []
    if not min(checks) > 0.95 * constant:
        return []
    evidence = (
        f"The training loss fell to {vitals.recent_data_loss:.4g}, but the validation loss was "
        f"never below {min(checks):.4g}, and a constant reaches {constant:.4g}: nothing carries "
        "over."
    )
    return _symptom(vitals, evidence, reports=2)


def _constant(vitals: Vitals) -> list[Symptom]:
    constant = vitals.objective.constant_loss
    steps = [u for u in vitals.total_updates[-5:] if math.isfinite(u)]
    if not constant > 0 or not vitals.had_a_long_chance or not steps or vitals.is_falling:
        return []
    if vitals.recurrent:
        return []  # What such a network forgets leaves no sign in its layers.
    low, high = _USUAL_STEPS
    moves = low < statistics.median(steps) < high
    if not (moves and abs(vitals.gain) < _NEAR and not vitals.has_learned):
        return []
    evidence = (
        f"After {vitals.step} steps the loss is {vitals.recent_data_loss:.4g}, that of the best "
        f"constant ({constant:.4g}), although gradients flow and weights move as they should."
    )
    return _symptom(vitals, evidence, reports=4)
