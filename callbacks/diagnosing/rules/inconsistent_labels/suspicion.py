"""What is said wherever labels are to blame."""

from ....diagnosis import Severity
from ....problem import Problem
from ....remedy import Remedy
from ...symptom import Symptom
from ...vital_signs.vitals import Vitals


def suspect_labels(
    vitals: Vitals,
    evidence: str,
    *advice: str,
    reports: int,
    is_root: bool = False,
    severity: Severity = "critical",
) -> list[Symptom]:
    """Return the symptom, with what to inspect.

    Args:
        vitals: The vital signs.
        evidence: One sentence with the figures.
        advice: Remedies that come before those for all labels.
        reports: See `Symptom`.
        is_root: See `Symptom`.
        severity: See `Symptom`.
    """
    remedies = (
        *map(Remedy, advice),
        Remedy("Inspect inputs and labels side by side: were they shuffled independently?"),
        Remedy("Check that training and validation data get the same preprocessing."),
        Remedy("Check whether the network can memorise 16 samples.", "overfit_batches=1"),
    )
    figures = {"constant_loss": vitals.objective.constant_loss, "gain": vitals.gain}
    problem = Problem.INCONSISTENT_LABELS
    return [
        Symptom(problem, severity, evidence, figures, remedies, reports=reports, is_root=is_root)
    ]
