"""Layers with nothing between them are one layer.

Read off the graph behind the loss: at least two products with weights, and no function between them
that bends. One matrix that takes the inputs to a code and one that takes the code back is meant so:
it finds their principal components (Baldi and Hornik, 1989). So are two of which what is between
them is narrower than what goes in and what comes out: a regression of reduced rank (Izenman, 1975).
"""

import math

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

_MIN_LAYERS = 2
_MIN_LAYERS_IF_MAYBE_A_CODE = 3


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a network that is one affine map."""
    # Of a loss that is not known it is not, either, whether it is of the inputs.
    may_be_a_code = vitals.objective.of_inputs or vitals.objective.kind is None
    fewest = _MIN_LAYERS_IF_MAYBE_A_CODE if may_be_a_code else _MIN_LAYERS
    if vitals.layers_in_graph < fewest or not vitals.affine or _is_of_reduced_rank(vitals):
        return []
    evidence = (
        f"There is no non-linearity between the {vitals.layers_in_graph} layers: together they are "
        "one affine map."
    )
    remedies = (Remedy("Put an activation after each hidden layer.", 'activation="relu"'),)
    figures = {"layers": float(vitals.layers_in_graph)}
    return [Symptom(Problem.LINEAR_NETWORK, "warning", evidence, figures, remedies, reports=1)]


def _is_of_reduced_rank(vitals: Vitals) -> bool:
    """Whether they are two, the first of which has fewer outputs than inputs, and the second more.

    What is between them follows from the number of their weights.
    """
    layers, objective = [layer for layer in vitals.layers if layer.ran], vitals.objective
    outputs = objective.classes or math.prod(objective.target_shape[1:])
    if not len(layers) == vitals.layers_in_graph == 2 or not outputs:
        return False
    between = layers[1].entries / outputs
    return between < min(outputs, layers[0].entries / between)
