"""Inputs of a layer that keep moving away from what it has learned to expect.

The drift between two reports, in standard deviations. There is no published threshold; over one
deviation at each of many reports is extreme, and the least to be said.
"""

import statistics

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals

_EXTREME, _REPORTS = 1.0, 6


def examine(vitals: Vitals) -> list[Symptom]:
    """Find the layer whose drift is extreme for long."""
    if len(vitals.drift.steps) < _REPORTS or vitals.is_well or vitals.is_falling:
        return []
    extreme = {}
    for site, drifts in vitals.drift.history.items():
        recent = [drift for drift in drifts[-_REPORTS:] if drift == drift]
        if len(recent) >= _REPORTS - 1 and statistics.median(recent) > _EXTREME:
            extreme[site] = statistics.median(recent)
    if not extreme:
        return []
    site = max(extreme, key=extreme.__getitem__)
    evidence = (
        f"The means of {site} shift by {extreme[site]:.2g} standard deviations from one report to "
        f"the next."
    )
    remedies = (
        Remedy("Normalise the layers.", 'norm="batch"'),
        Remedy("Lower the learning rate.", f"lr={vitals.learning_rate_peak / 10:.3g}"),
    )
    figures = {"drift": extreme[site]}
    return [Symptom(Problem.COVARIATE_SHIFT, "info", evidence, figures, remedies, site)]
