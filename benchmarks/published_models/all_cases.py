"""The trainings, field by field."""

import attention
import decisions
import embeddings
import forecasts
import generative
import graphs
import images
import language
import molecules
import optimizers
import science
import series
import sound
import spikes
import tables
import uncertainty
from case import Case

CASES: tuple[Case, ...] = (
    *images.CASES, *language.CASES, *graphs.CASES, *tables.CASES, *series.CASES,
    *embeddings.CASES, *generative.CASES, *science.CASES, *spikes.CASES,
    *optimizers.CASES, *molecules.CASES, *uncertainty.CASES, *sound.CASES, *forecasts.CASES,
    *attention.CASES, *decisions.CASES,
)  # fmt: skip


def named(names: list[str]) -> list[Case]:
    """Those of these names, or of these packages; all if none is given.

    Raises:
        ValueError: If there is none of a name.
    """
    for name in names:
        if not any(name in (case.name, case.package) for case in CASES):
            raise ValueError(f"Expected the name of a training or of its package, but got {name!r}")
    return [case for case in CASES if not names or {case.name, case.package} & set(names)]
