"""A finding: what is wrong, where, since when, the figures that show it, and what to change."""

from dataclasses import dataclass, field
from typing import Literal

from .problem import Problem
from .remedy import Remedy

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True)
class Diagnosis:
    """One finding of the doctor.

    Attributes:
        problem: What is wrong.
        severity: ``"critical"`` if training cannot succeed as it is, ``"warning"`` if it costs
            accuracy or time, ``"info"`` if it is only worth knowing.
        layer: Layer where it begins; None if it does not concern a single layer.
        step: Optimiser step at which it was established; steps of several optimisers in a batch
            count as one.
        epoch: Epoch of that step, from 0.
        evidence: What was observed, in words and figures.
        measurements: The figures by name.
        remedies: What to change, best first.

    Example:
        >>> Diagnosis(Problem.DEAD_RELU, "warning", "fc1", 50, 0, "60% are dead.").problem.value
        'dead_relu'
    """

    problem: Problem
    severity: Severity
    layer: str | None
    step: int
    epoch: int
    evidence: str
    measurements: dict[str, float] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
