"""Units that hardly say anything beside the others of their layer (Sokar et al. 2023).

With any activation; the share is worth knowing where it grows.
"""

from ...diagnosis import Severity
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals

_MANY, _GROWTH, _REPORTS = 0.5, 0.2, 5


def examine(vitals: Vitals) -> list[Symptom]:
    """Find the layer where the share of dormant units is large and has grown most."""
    record = vitals.dormant
    if len(record.steps) < _REPORTS:
        return []
    grown = {}
    for site, shares in record.history.items():
        known = [share for share in shares if share == share]
        if known and known[-1] > _MANY and known[-1] - known[0] > _GROWTH:
            grown[site] = (known[0], known[-1])
    if not grown:
        return []
    site, (first, last) = max(grown.items(), key=lambda item: item[1][1])
    severity: Severity = "info" if vitals.is_well or not vitals.had_a_chance else "warning"
    evidence = f"{last:.0%} of the units of {site} are dormant; it was {first:.0%} at first."
    remedies = (
        Remedy("Lower the learning rate.", f"lr={vitals.learning_rate_peak / 10:.3g}"),
        Remedy("Use an activation that lets a gradient through.", 'activation="leaky_relu"'),
        Remedy("Use less L1 or weight decay, which puts units to sleep.", "l1=0.0, l2=0.0"),
    )
    figures = {"dormant_share": last, "first_share": first}
    return [Symptom(Problem.DORMANT_UNITS, severity, evidence, figures, remedies, site)]
