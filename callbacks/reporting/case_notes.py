"""All that the page shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .chart import Chart
from .finding import Finding
from .layer_map import LayerMap

Health = Literal["healthy", "warning", "critical", "unknown"]


@dataclass(frozen=True)
class CaseNotes:
    """What is known of a training, ready to be shown.

    Attributes:
        title: Name of the run.
        health: The worst of what stands; ``"unknown"`` where no doctor watched.
        verdict: The same in one sentence.
        outcome: How the run ended, in one sentence.
        findings: Diagnoses that stand, the worst first, then the withdrawn ones.
        remarks: What the monitors noticed by themselves.
        charts: Curves, the loss first.
        maps: Layers by time.
        facts: What else is worth knowing of the run.
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
