"""Inputs of a layer that keep moving away from what it has learned to expect.

The drift between two reports, in standard deviations. There is no published threshold; over one
deviation at each of many reports is extreme, and the least to be said. Inputs of batches that are
farther apart than the samples within them come in an order of their own.
"""

import statistics

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals

_EXTREME, _REPORTS, _BATCHES = 1.0, 6, 10


def examine(vitals: Vitals) -> list[Symptom]:
    """Find inputs that change from batch to batch, and a layer whose drift is extreme."""
    return _of_inputs(vitals) or _of_layers(vitals)


def _of_inputs(vitals: Vitals) -> list[Symptom]:
    inputs = vitals.inputs
    if inputs.batches < _BATCHES or not inputs.batch_spread > _EXTREME or vitals.gain > 0.5:
        return []
    if not vitals.had_a_long_chance:
        return []
    evidence = (
        f"The mean of the inputs differs from batch to batch by {inputs.batch_spread:.2g} times "
        "the deviation within a batch."
    )
    remedies = (
        Remedy("Shuffle the training data.", "DataLoader(..., shuffle=True)"),
        Remedy("Standardise each sample by itself.", "x - x.mean((1, 2, 3), keepdim=True)"),
    )
    figures, problem = {"batch_spread": inputs.batch_spread}, Problem.COVARIATE_SHIFT
    return [Symptom(problem, "warning", evidence, figures, remedies, inputs.layer, is_root=True)]


def _of_layers(vitals: Vitals) -> list[Symptom]:
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
        Remedy("Lower the learning rate.", vitals.rate_as_code(0.1)),
    )
    figures = {"drift": extreme[site]}
    return [Symptom(Problem.COVARIATE_SHIFT, "info", evidence, figures, remedies, site)]
