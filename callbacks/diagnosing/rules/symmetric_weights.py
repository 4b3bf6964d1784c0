"""Units that are copies of each other, and stay so.

Identical weights alone do not matter where the next layer tells the units apart; identical
gradients as well mean that every step keeps them identical.
"""

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals


def examine(vitals: Vitals) -> list[Symptom]:
    """Find the first hidden layer whose units are one unit many times over."""
    same = [layer.name for layer in vitals.layers if layer.identical_units and not layer.is_last]
    if not same:
        return []
    evidence = (
        f"All units of {same[0]} have the same weights and the same gradients, so that they remain "
        f"one unit many times over"
        f"{f'; so in {len(same) - 1} other layers' if len(same) > 1 else ''}."
    )
    remedies = (Remedy("Initialise at random.", 'init="auto"'),)
    return [
        Symptom(
            Problem.SYMMETRIC_WEIGHTS, "critical", evidence, {"layers": float(len(same))}, remedies,
            same[0], reports=1,
        )
    ]  # fmt: skip
