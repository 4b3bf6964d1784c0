"""What a rule finds."""

from dataclasses import dataclass, field

from ..diagnosis import Severity
from ..problem import Problem
from ..remedy import Remedy


@dataclass(frozen=True)
class Symptom:
    """One thing that a rule sees in the vital signs of one moment.

    Attributes:
        problem: What is wrong.
        severity: See `Diagnosis`.
        evidence: One sentence with the figures.
        measurements: The figures by name.
        remedies: What to change, best first.
        layer: Where it begins.
        reports: Reports in a row in which it must be seen to be said.
        is_root: Whether it is so plain that it is behind whatever else is wrong.
        stands_alone: Whether it neither explains another symptom nor is explained by one.
        tells: Problems of which its evidence says what their own would.
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
