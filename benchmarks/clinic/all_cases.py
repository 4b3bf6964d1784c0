"""Every case of the clinic, and the choice among them."""

import faulty.attention
import faulty.convolutional
import faulty.dense
import faulty.generalization
import faulty.inputs
import faulty.numerics
import faulty.optimization
import faulty.recurrent
import faulty.regression
import faulty.structure
import faulty.units
import healthy.convolutional
import healthy.dense
import healthy.generative
import healthy.optimizers
import healthy.regression
import healthy.representations
import healthy.sequences
from case import Case

FAULTY: tuple[Case, ...] = (
    *faulty.attention.CASES,
    *faulty.convolutional.CASES,
    *faulty.dense.CASES,
    *faulty.generalization.CASES,
    *faulty.inputs.CASES,
    *faulty.numerics.CASES,
    *faulty.optimization.CASES,
    *faulty.recurrent.CASES,
    *faulty.regression.CASES,
    *faulty.structure.CASES,
    *faulty.units.CASES,
)
HEALTHY: tuple[Case, ...] = (
    *healthy.convolutional.CASES,
    *healthy.dense.CASES,
    *healthy.generative.CASES,
    *healthy.optimizers.CASES,
    *healthy.regression.CASES,
    *healthy.representations.CASES,
    *healthy.sequences.CASES,
)
CASES = FAULTY + HEALTHY


def named(names: list[str]) -> list[Case]:
    """The cases of these names, or all for no name.

    Raises:
        ValueError: If there is no case of a name.
    """
    known = {case.name: case for case in CASES}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"Expected names of cases, but got {unknown}; there are {sorted(known)}.")
    return [known[name] for name in names] or list(CASES)
