"""Units that are copies of each other, and stay so.

Identical weights alone do not matter where the next layer tells the units apart; identical
gradients as well mean that every step keeps them identical.
"""

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals


def examine(vitals: Vitals) -> list[Symptom]:
    """Find the first hidden layer whose units are one unit many times over, or such a table."""
    same = [layer.name for layer in vitals.layers if layer.identical_units and not layer.is_last]
    if not same:
        return _of_tables(vitals)
    evidence = (
        f"All units of {same[0]} have the same weights and the same gradients, so that they remain "
        f"one unit many times over"
        f"{f'; so in {len(same) - 1} other layers' if len(same) > 1 else ''}."
    )
    return [_symptom(same, evidence)]


def _of_tables(vitals: Vitals) -> list[Symptom]:
    """Embeddings that say the same of everything: where all are zero, no gradient reaches them."""
    tables = vitals.uniform_tables
    if not tables or vitals.gain > 0.5:
        return []
    evidence = f"All rows of {tables[0]} are the same, and so are their gradients."
    return [_symptom(tables, evidence)]


def _symptom(names: list[str], evidence: str) -> Symptom:
    remedies = (Remedy("Initialise at random.", 'init="auto"'),)
    figures = {"layers": float(len(names))}
    return Symptom(
        Problem.SYMMETRIC_WEIGHTS, "critical", evidence, figures, remedies, names[0], reports=1
    )
