"""The contents of the report page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .chart import Chart
from .finding import Finding
from .layer_map import LayerMap

Health = Literal["healthy", "warning", "critical", "unknown"]


@dataclass(frozen=True)
class CaseNotes:
    """Everything that the page shows of a training run.

    Attributes:
        title: Name of the run.
        health: Worst severity of the current findings; ``"unknown"`` without a verdict.
        verdict: The current findings in one sentence.
        outcome: How the run ended, in one sentence.
        findings: Current findings, the worst first, then the withdrawn ones.
        remarks: Findings of the monitors, where there was no doctor.
        charts: Curves, the loss first.
        maps: Heat maps of layers over time.
        facts: Facts about the run, by name.
    """

    title: str
    health: Health
    verdict: str
    outcome: str
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    maps: tuple[LayerMap, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
