"""Units that are copies of each other, and stay so.

Identical weights alone do not matter where the next layer tells the units apart; if the gradients
are identical, too, every step keeps the units so. The same holds for zeros whose gradients are 0.
"""

from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import Gain
from ..vital_signs.signs import share_of
from ..vital_signs.vitals import Vitals

_MIN_SHARE_OF_CONSTANT_WEIGHTS = 0.75
_MIN_SHARE_OF_WAITING_WEIGHTS = 0.5


def examine(vitals: Vitals) -> Finding | None:
    """Find the first hidden layer whose units are copies of one unit, or zeros."""
    same = [layer.name for layer in vitals.layers if layer.identical_units and not layer.is_last]
    same = same or vitals.identical_matrices
    if not same:
        return _of_tables(vitals) or _of_zeros(vitals) or _of_constants(vitals)
    evidence = (
        f"All units of {same[0]} have identical weights and gradients, so that they stay copies "
        "of one another"
    )
    if more := len(same) - 1:
        evidence += f"; the same holds in {more} other layer{'s' if more > 1 else ''}"
    evidence += "."
    return _finding(same, evidence)


def _of_tables(vitals: Vitals) -> Finding | None:
    """Find embeddings that have one number for each row, however wide they are."""
    names = vitals.identical_tables
    if not names:
        return None
    evidence = (
        f"All columns of {names[0]} have identical values and gradients, so that they stay copies "
        f"of one another{f'; the same holds for {names[1]}' if len(names) > 1 else ''}."
    )
    return _finding(names, evidence)


def _of_zeros(vitals: Vitals) -> Finding | None:
    """Find zero weights that block each other: where both factors are 0, so are both gradients."""
    names = vitals.waiting
    if len(names) < 2 or vitals.gain > Gain.GOOD or not vitals.had_a_chance:
        return None
    # Weights that a mask switches off, as in Kolmogorov-Arnold networks, do not block the rest.
    if sum(vitals.entries.get(name, 0) for name in names) < (
        _MIN_SHARE_OF_WAITING_WEIGHTS * sum(vitals.entries.values())
    ):
        return None
    more = len(names) - 1
    others = "does 1 other" if more == 1 else f"do {more} others"
    evidence = f"{names[0]} is all zeros and gets a gradient of zeros; so {others}."
    return _finding(names, evidence)


def _of_constants(vitals: Vitals) -> Finding | None:
    """Find mostly constant initial weights, where only biases tell the units apart."""
    # Beside frozen weights, those of an adapter may start at 0.
    layers = [layer for layer in vitals.layers if layer.ran]
    constant = [layer for layer in layers if layer.trained and layer.weight_gain == 0.0]
    names, share = [layer.name for layer in constant], share_of(constant, layers)
    if len(names) < 2 or share < _MIN_SHARE_OF_CONSTANT_WEIGHTS:
        return None
    # Parallel linear layers may start at 0.
    if vitals.affine or not vitals.had_a_chance or not vitals.gain <= Gain.GOOD:
        return None
    evidence = (
        f"{share:.0%} of the weights started as a single number per layer, first in {names[0]}: "
        "only their biases distinguish the units."
    )
    return _finding(names, evidence, reports=2)


def _finding(names: list[str], evidence: str, reports: int = 1) -> Finding:
    remedies = (Remedy("Initialise the weights at random.", 'init="auto"'),)
    figures = {"layers": float(len(names))}
    return Finding("critical", evidence, figures, remedies, names[0], reports=reports)
