"""What is said wherever labels are to blame."""

from ....diagnosis import Severity
from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.vitals import Vitals


def suspect_labels(
    vitals: Vitals,
    evidence: str,
    *advice: str,
    reports: int,
    is_root: bool = False,
    severity: Severity = "critical",
) -> Finding:
    """Return the finding, with what to inspect.

    Args:
        vitals: The vital signs.
        evidence: One sentence with the figures.
        advice: Remedies that come before those for all labels.
        reports: See `Finding`.
        is_root: See `Finding`.
        severity: See `Finding`.
    """
    remedies = (
        *map(Remedy, advice),
        Remedy("Inspect inputs and labels side by side: were they shuffled independently?"),
        Remedy("Check that training and validation data get the same preprocessing."),
        Remedy("Check whether the network can memorise 16 samples.", "overfit_batches=1"),
    )
    figures = {"constant_loss": vitals.objective.constant_loss, "gain": vitals.gain}
    return Finding(severity, evidence, figures, remedies, reports=reports, is_root=is_root)
