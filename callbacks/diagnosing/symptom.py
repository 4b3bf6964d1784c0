"""What a rule finds, and the problem that it is about."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..diagnosis import Severity
from ..problem import Problem
from ..remedy import Remedy

RANK = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True)
class Finding:
    """What a rule finds in the vital signs of one moment.

    Attributes:
        severity: See `Diagnosis`.
        evidence: One sentence with the figures.
        measurements: The figures by name.
        remedies: What to change, best first.
        layer: Layer where it begins.
        reports: Number of consecutive reports that must show it before it is reported.
        is_root: Whether it is so obvious that it explains whatever else is wrong.
        stands_alone: Whether it neither explains another symptom nor is explained by one.
        tells: Problems whose own evidence would add nothing to its evidence.
    """

    severity: Severity
    evidence: str
    measurements: dict[str, float] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    layer: str | None = None
    reports: int = 2
    is_root: bool = False
    stands_alone: bool = False
    tells: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Symptom(Finding):
    """A finding of the rule for a problem."""

    problem: Problem


def worst(findings: Iterable[Finding | None]) -> Finding | None:
    """Return the first of the worst findings; None if there is none."""
    found = filter(None, findings)
    return max(found, key=lambda finding: RANK[finding.severity], default=None)
