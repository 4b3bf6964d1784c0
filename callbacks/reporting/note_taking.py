"""From records to what is shown of them."""

import math
from collections.abc import Mapping, Sequence

from ..monitoring.record_file import Recorded
from ..monitoring.scales import SCALES
from .case import Case, Points
from .case_notes import CaseNotes
from .chart import Chart
from .curve import Curve
from .finding import Finding
from .layer_map import LayerMap
from .thinning import smooth_curve
from .wording import health_of, outcome_of, verdict_of

_WINDOWS = 120
_RANK = {"critical": 0, "warning": 1, "info": 2}
# In the order of the page: what is asked first comes first.
_ABOUT = {
    "grad_norm": "Dark layers are told next to nothing; a dark top means that gradients vanish.",
    "dead_relu": "Units that no input made positive.",
    "saturated": "Outputs so far in the flat part of sigmoid or tanh that gradients stop there.",
    "update_ratio": "How far a step moves the weights: about 1/1,000 of their length is usual.",
    "dormant": "Units that are far less active than the others of their layer.",
    "drift": "How far the outputs moved since the report before, in standard deviations.",
    "activation_variance": "Even from layer to layer is good.",
}
_SHARES = {"dead_relu/total": "dead", "saturated/total": "saturated", "dormant/total": "dormant"}


def take_notes(case: Case | None, monitors: Sequence[Recorded], *, title: str = "") -> CaseNotes:
    """Collect what the page shows.

    Args:
        case: What the doctor saw; None where there was none.
        monitors: What the monitors recorded.
        title: Name of the run; without one, that of its model.

    Returns:
        The notes.
    """
    charts = [*_charts_of_case(case), *_charts_of_monitors(monitors)]
    maps = _maps(monitors)
    if case is None:
        steps = [step for m in monitors for step in m.summary.steps[-1:]]
        return CaseNotes(
            title or "A training run",
            health="unknown",
            verdict="No verdict: no doctor watched this run.",
            outcome=f"The monitors recorded it up to step {max(steps, default=0):,}.",
            remarks=tuple(text for m in monitors for text in m.findings.values()),
            charts=tuple(charts),
            maps=maps,
        )
    findings = sorted(case.findings, key=_order)
    return CaseNotes(
        title or str(case.facts.get("model", "A training run")),
        health=health_of(findings),
        verdict=verdict_of(findings) if case.last_step else "No verdict yet: no step is recorded.",
        outcome=outcome_of(case),
        findings=tuple(findings),
        charts=tuple(charts),
        maps=maps,
        facts={name: _in_words(value) for name, value in case.facts.items()},
    )


def _order(finding: Finding) -> tuple[bool, int, int]:
    return (not finding.stands, _RANK[finding.diagnosis.severity], finding.since)


def _in_words(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.6g}"


def _charts_of_case(case: Case | None) -> list[Chart]:
    if case is None:
        return []
    loss = [*_noisy("training loss", case.losses), *_curve("validation loss", case.validations)]
    charts = [Chart("Loss", tuple(loss), _constant(case.figures))] if loss else []
    score = [*_curve("accuracy", case.figures), *_curve("validation score", case.validations)]
    charts += [Chart("Accuracy", tuple(score))] if score else []
    rate = _curve("learning rate", case.figures)
    return charts + ([Chart("Learning rate", tuple(rate))] if rate else [])


def _constant(figures: Mapping[str, Points]) -> tuple[float, str] | None:
    points = [value for _, value in figures.get("constant loss", []) if math.isfinite(value)]
    return (points[-1], "best constant prediction") if points else None


def _noisy(name: str, points: Points) -> list[Curve]:
    """A curve of many values, and the means that show its course."""
    if len(points) <= 2 * _WINDOWS:
        return [Curve(name, *_split(points))] if points else []
    steps, values = _split(points)
    size = -(-len(points) // _WINDOWS)
    return [
        Curve(f"{name} (batch)", steps, values, "faint"),
        Curve(f"{name} (mean of {size:,} batches)", *smooth_curve(steps, values, _WINDOWS)),
    ]


def _curve(name: str, curves: Mapping[str, Points]) -> list[Curve]:
    points = curves.get(name, [])
    known = [point for point in points if not math.isnan(point[1])]
    return [Curve(name, *_split(known), "dots")] if known else []


def _split(points: Points) -> tuple[list[float], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def _charts_of_monitors(monitors: Sequence[Recorded]) -> list[Chart]:
    totals: dict[str, Curve] = {}
    for monitor in monitors:
        for name, values in monitor.summary.history.items():
            totals.setdefault(name, Curve(name, monitor.summary.steps, values))
    charts = []
    for name, title in (
        ("grad_norm/total", "Gradient norm"),
        ("update_ratio/total", "Update ratio"),
    ):
        if name in totals:
            curve = totals[name]
            charts.append(Chart(title, (Curve("all layers", curve.steps, curve.values),)))
    shares = [
        Curve(words, totals[name].steps, totals[name].values)
        for name, words in _SHARES.items()
        if name in totals and any(value == value for value in totals[name].values)
    ]
    return charts + ([Chart("Share of all units", tuple(shares))] if shares else [])


def _maps(monitors: Sequence[Recorded]) -> tuple[LayerMap, ...]:
    maps = []
    for quantity, about in _ABOUT.items():
        records = [m.records[quantity] for m in monitors if quantity in m.records]
        shown = [record for record in records if not bool(record.table.isnan().all())]
        for place, record in enumerate(shown, 1):
            title = SCALES[quantity].label + (f" ({place})" if len(shown) > 1 else "")
            title = title[0].upper() + title[1:]
            layers, centred = list(record.last), quantity == "update_ratio"
            scale = SCALES[quantity]
            maps.append(LayerMap(title, about, layers, record.steps, record.table, scale, centred))
    return tuple(maps)
