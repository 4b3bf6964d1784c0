"""Layers with no non-linearity between them, which amount to a single layer.

Read off the autograd graph of the loss: at least two products with weights, and no non-linear
function between them. Two cases are intended: a linear autoencoder of two matrices, which finds
principal components (Baldi and Hornik, 1989), and two layers with a bottleneck narrower than their
input and output, which are a reduced-rank regression (Izenman, 1975).
"""

import math

from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.vitals import Vitals

_MIN_LAYERS = 2
_GAIN_OF_A_LINEAR_TASK = 0.98
_MIN_LAYERS_IF_MAYBE_A_CODE = 3


def examine(vitals: Vitals) -> Finding | None:
    """Find a network that is one affine map."""
    # With an unknown loss, the targets may be the inputs.
    may_be_a_code = vitals.objective.of_inputs or vitals.objective.kind is None
    fewest = _MIN_LAYERS_IF_MAYBE_A_CODE if may_be_a_code else _MIN_LAYERS
    if vitals.layers_in_graph < fewest or not vitals.affine or _is_of_reduced_rank(vitals):
        return None
    if vitals.gain > _GAIN_OF_A_LINEAR_TASK:
        return None
    evidence = (
        f"There is no non-linearity between the {vitals.layers_in_graph} layers: together they are "
        "one affine map."
    )
    remedies = (Remedy("Put an activation after each hidden layer.", 'activation="relu"'),)
    figures = {"layers": float(vitals.layers_in_graph)}
    return Finding("warning", evidence, figures, remedies, reports=1)


def _is_of_reduced_rank(vitals: Vitals) -> bool:
    """Whether there are two layers with a bottleneck narrower than their input and output.

    Its width follows from their numbers of weights.
    """
    layers, objective = [layer for layer in vitals.layers if layer.ran], vitals.objective
    outputs = objective.classes or math.prod(objective.target_shape[1:])
    if not len(layers) == vitals.layers_in_graph == 2 or not outputs:
        return False
    between = layers[1].entries / outputs
    return between < min(outputs, layers[0].entries / between)
