"""From the records of a run to the contents of its page."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..monitoring.recording.record import Record
from ..monitoring.recording.record_file import Recorded
from ..monitoring.recording.scales import SCALES
from .case import Case, Points
from .case_notes import CaseNotes
from .chart import Chart
from .curve import Curve, Style
from .finding import Finding
from .layer_map import LayerMap
from .thinning import smooth_curve
from .wording import outcome_of, verdict_of

_WINDOWS_OF_A_CURVE = 120
_RANK = {"critical": 0, "warning": 1, "info": 2}
# In the order of the page: the maps that one consults first come first.
_MAPS = {
    "grad_norm": (
        "Gradient norms",
        "Norm of each layer's gradient before clipping: a dark top means vanishing gradients.",
    ),
    "dead_relu": ("Dead units", "Share of each layer's ReLUs that output zero for every input."),
    "saturated": (
        "Saturated activations",
        "Share of outputs so far in the flat part of a sigmoid or tanh that gradients vanish.",
    ),
    "update_ratio": (
        "Update ratios",
        "Norm of an update relative to that of the weights: 1/1,000 is typical, blue is slow.",
    ),
    "dormant": ("Dormant units", "Share of units far less active than the others in their layer."),
    "drift": ("Drift", "Shift of the outputs since the previous report, in standard deviations."),
    "activation_variance": ("Variance of activations", "Ideally similar from layer to layer."),
}
_TOTALS = {"grad_norm/total": "Gradient norm", "update_ratio/total": "Update ratio"}
_SHARES = {"dead_relu/total": "dead", "saturated/total": "saturated", "dormant/total": "dormant"}


def take_notes(
    case: Case | None, monitors: Sequence[Recorded], *, folder: Path | None = None
) -> CaseNotes:
    """Collect the contents of the page.

    Args:
        case: The doctor's record; None if there was no doctor.
        monitors: The records of the monitors.
        folder: Folder of the run, if it is not the one that the doctor recorded.

    Returns:
        The contents.
    """
    maps = _maps(monitors)
    if case is None:
        steps = [step for m in monitors for step in m.summary.steps[-1:]]
        return CaseNotes(
            _title({}, folder),
            health="unknown",
            verdict="No verdict: this run had no TrainingDoctor.",
            outcome=f"The monitors recorded the run up to step {max(steps, default=0):,}.",
            remarks=tuple(text for m in monitors for text in m.findings.values()),
            charts=tuple(_charts_of_monitors(monitors)),
            maps=maps,
        )
    health, verdict = verdict_of(case)
    return CaseNotes(
        _title(case.facts, folder),
        health=health,
        verdict=verdict,
        outcome=outcome_of(case),
        findings=tuple(sorted(case.findings, key=_order)),
        charts=(*_charts_of_case(case), *_charts_of_monitors(monitors)),
        maps=maps,
        facts={name: _in_words(value) for name, value in case.facts.items()},
    )


def _title(facts: Mapping[str, str | float], folder: Path | None) -> str:
    model, noted = facts.get("model", "A training run"), facts.get("folder")
    place = folder or (Path(str(noted)) if noted else None)
    return f"{model} in {place.name}" if place is not None and place.name else str(model)


def _order(finding: Finding) -> tuple[bool, int, int]:
    return (not finding.stands, _RANK[finding.diagnosis.severity], finding.since)


def _in_words(value: str | float) -> str:
    if value == "Infinity":
        return "unknown"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.6g}"


def _charts_of_case(case: Case) -> list[Chart]:
    loss = [*_noisy("training loss", case.losses), *_curve("validation loss", case.validations)]
    score = [*_curve("accuracy", case.figures), *_curve("validation score", case.validations)]
    rate = _curve("learning rate", case.figures)
    charts = [
        Chart("Loss", tuple(loss), _constant(case.figures)),
        Chart("Score", tuple(score)),
        Chart("Learning rate", tuple(rate)),
    ]
    return [chart for chart in charts if chart.curves]


def _constant(figures: Mapping[str, Points]) -> tuple[float, str] | None:
    points = [value for _, value in figures.get("constant loss", []) if math.isfinite(value)]
    return (points[-1], "best constant prediction") if points else None


def _noisy(name: str, points: Points) -> list[Curve]:
    """Return a curve or, for many values, a faint curve and one of means that show its trend."""
    if len(points) <= 2 * _WINDOWS_OF_A_CURVE:
        return [Curve(name, *_split(points))] if points else []
    steps, values = _split(points)
    size = -(-len(points) // _WINDOWS_OF_A_CURVE)
    return [
        Curve(f"{name} per batch", steps, values, "faint"),
        Curve(
            f"{name}, mean of {size:,} batches", *smooth_curve(steps, values, _WINDOWS_OF_A_CURVE)
        ),
    ]


def _curve(name: str, curves: Mapping[str, Points]) -> list[Curve]:
    points = curves.get(name, [])
    style: Style = "dots" if name.startswith("validation") else "line"
    return [Curve(name, *_split(points), style)] if points else []


def _split(points: Points) -> tuple[list[float], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def _charts_of_monitors(monitors: Sequence[Recorded]) -> list[Chart]:
    totals: dict[str, Curve] = {}
    for monitor in monitors:
        for name, values in monitor.summary.history.items():
            totals.setdefault(name, Curve(name, monitor.summary.steps, values))
    charts = [
        Chart(title, tuple(curves))
        for name, title in _TOTALS.items()
        if (curves := _totals(name, totals))
    ]
    known = {name: curve for name, curve in totals.items() if any(v == v for v in curve.values)}
    shares = [replace(known[name], name=words) for name, words in _SHARES.items() if name in known]
    if shares:
        charts.append(Chart("Share of all units", tuple(shares), from_zero=True))
    return charts


def _totals(name: str, totals: Mapping[str, Curve]) -> list[Curve]:
    """Return the total over all layers, or the totals over the layers of each optimiser."""
    if name in totals:
        return [replace(totals[name], name="all layers")]
    places = sorted(int(n[len(name) + 1 :]) for n in totals if re.fullmatch(rf"{name}_\d+", n))
    return [replace(totals[f"{name}_{i}"], name=f"layers of optimiser {i + 1}") for i in places]


def _maps(monitors: Sequence[Recorded]) -> tuple[LayerMap, ...]:
    maps: list[LayerMap] = []
    for quantity, (title, about) in _MAPS.items():
        tables = [_table(m, quantity) for m in monitors if quantity in m.records]
        tables = [(record, table) for record, table in tables if not table.isnan().all()]
        for place, (record, table) in enumerate(tables, 1):
            names = list(record.last)
            # Maps are compared row by row; the first has the order of the network.
            layers = _in_order(names, maps[0].layers if maps else names)
            maps.append(
                LayerMap(
                    f"{title} ({place})" if len(tables) > 1 else title,
                    about,
                    layers=layers,
                    steps=record.steps,
                    values=table[[names.index(layer) for layer in layers]],
                    scale=SCALES[quantity],
                    centred=quantity == "update_ratio",
                )
            )
    return tuple(maps)


def _in_order(layers: Sequence[str], order: Sequence[str]) -> list[str]:
    """Sort the layers by the given order; layers missing from it keep their places."""
    known = set(layers) & set(order)
    ordered = (layer for layer in order if layer in known)
    return [next(ordered) if layer in known else layer for layer in layers]


def _table(monitor: Recorded, quantity: str) -> tuple[Record, Tensor]:
    """Return a record's table, with infinity for NaN in reports whose total is not finite."""
    record = monitor.records[quantity]
    table, totals = record.table, monitor.summary.history.get(f"{quantity}/total", [])
    known = dict(zip(monitor.summary.steps, totals, strict=False))
    broken = [not math.isfinite(known.get(step, 0.0)) for step in record.steps]
    for column, is_broken in enumerate(broken):
        if is_broken:
            table[:, column] = table[:, column].nan_to_num(math.inf, math.inf)
    return record, table
