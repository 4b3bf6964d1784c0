"""What a rule finds."""

from dataclasses import dataclass, field

from ..diagnosis import Severity
from ..problem import Problem
from ..remedy import Remedy


@dataclass(frozen=True)
class Symptom:
    """A finding of one rule in the vital signs of one moment.

    Attributes:
        problem: What is wrong.
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

    problem: Problem
    severity: Severity
    evidence: str
    measurements: dict[str, float] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    layer: str | None = None
    reports: int = 2
    is_root: bool = False
    stands_alone: bool = False
    tells: tuple[Problem, ...] = ()
