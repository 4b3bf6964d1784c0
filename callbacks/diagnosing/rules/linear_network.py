"""Layers with nothing between them are one layer.

Read off the graph behind the loss: at least two products with weights, and no function between them
that bends.
"""

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a network that is one affine map."""
    if vitals.layers_in_graph < 2 or not vitals.affine:
        return []
    evidence = (
        f"There is no non-linearity between the {vitals.layers_in_graph} layers: together they are "
        "one affine map."
    )
    remedies = (Remedy("Put an activation after each hidden layer.", 'activation="relu"'),)
    figures = {"layers": float(vitals.layers_in_graph)}
    return [Symptom(Problem.LINEAR_NETWORK, "warning", evidence, figures, remedies, reports=1)]
