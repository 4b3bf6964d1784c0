"""The page: a single file that needs no network, and in which no data can run as code."""

import base64
import hashlib
import json
import math
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..monitoring.recording.json_lines import encode
from .case_notes import CaseNotes
from .chart import Chart
from .curve import Curve
from .finding import Finding
from .layer_map import LayerMap
from .thinning import thin_columns, thin_curve, thin_rows
from .wording import time_of

_SCRIPTS = ("tools.js", "plot.js", "chart.js", "heat_map.js", "page.js")
_MAX_POINTS = 2_000
_MAX_ROWS = 600
_MAX_CELLS = 60_000
_MAX_COLUMNS = 400
_MIN_COLUMNS = 100


def write_page(notes: CaseNotes, path: str | Path) -> Path:
    """Write the page to a file; its folder is created, and an existing file replaced atomically.

    Args:
        notes: What to show.
        path: The file.

    Returns:
        The file.

    Raises:
        IsADirectoryError: If ``path`` is a folder.
        TypeError: If ``path`` is not a path.
    """
    path = page_path("path", path)
    page = render_page(notes)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Folder names may hold lone surrogates; the hashed script and style do not.
        unfinished.write_text(page, encoding="utf-8", errors="replace")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return path


def page_path(argument: str, path: str | Path) -> Path:
    """Check the path of a page before the page is rendered.

    Args:
        argument: Name of the argument, for the error message.
        path: The path that the user gave.

    Returns:
        The same as a `Path`.

    Raises:
        IsADirectoryError: If ``path`` is a folder.
        TypeError: If ``path`` is not a path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"Expected `{argument}` to be the path of a file, but got {path!r}.")
    if Path(path).is_dir():
        raise IsADirectoryError(
            f"Expected `{argument}` to be the path of a file, but got the folder {str(path)!r}: "
            f"name a file in it, such as {str(Path(path) / 'report.html')!r}."
        )
    return Path(path)


def render_page(notes: CaseNotes) -> str:
    """Render the page.

    The content security policy allows only the script and the style of this file, each named by its
    hash; all text of the notes is escaped, and the figures are JSON.

    Args:
        notes: What to show.

    Returns:
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = "\n".join(map(_asset, _SCRIPTS))
    style, script = _asset("page.css"), f'"use strict";\n(() => {{\n{parts}}})();\n'
    return environment.get_template("page.html").render(
        notes=notes,
        standing=[(i, f) for i, f in _numbered(notes) if f.stands],
        withdrawn=[(i, f) for i, f in _numbered(notes) if not f.stands],
        time_of=time_of,
        format_number=_in_words,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=_json(_figures(notes)),
    )


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(figures: dict[str, Any]) -> str:
    """Encode as JSON that cannot end a script element, whatever it contains."""
    text = json.dumps(figures, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _figures(notes: CaseNotes) -> dict[str, Any]:
    maps = [_map(layer_map) for layer_map in notes.maps]
    charts = [_chart(chart) for chart in notes.charts]
    ends = [curve["steps"][-1] for chart in charts for curve in chart["curves"] if curve["steps"]]
    ends += [layer_map["steps"][-1] for layer_map in maps]
    return {
        "end": max([1, *ends]),
        "marks": [_mark(number, finding) for number, finding in _numbered(notes)],
        "charts": charts,
        "maps": maps,
    }


def _numbered(notes: CaseNotes) -> list[tuple[int, Finding]]:
    """Number the findings by time, so that their marks along an axis are in order."""
    times = sorted(range(len(notes.findings)), key=lambda place: notes.findings[place].since)
    return [(times.index(place) + 1, finding) for place, finding in enumerate(notes.findings)]


def _mark(number: int, finding: Finding) -> dict[str, Any]:
    return {
        "number": number,
        "severity": finding.diagnosis.severity,
        "title": finding.diagnosis.problem.in_words,
        "since": finding.since,
        "withdrawn": finding.withdrawn,
    }


def _chart(chart: Chart) -> dict[str, Any]:
    values = [v for c in chart.curves for v in c.values if math.isfinite(v)]
    reference = None
    if chart.reference is not None:
        values.append(chart.reference[0])
        reference = {"value": _number(chart.reference[0]), "label": chart.reference[1]}
    return {
        "title": chart.title,
        "logarithmic": _spans_decades(values),
        "reference": reference,
        "fromZero": chart.from_zero,
        "curves": [_curve(curve) for curve in chart.curves],
    }


def _spans_decades(values: Sequence[float]) -> bool:
    """Whether most of the curve would be a flat line on a linear axis."""
    if len(values) < 2 or min(values) <= 0:
        return False
    return max(values) > 50 * torch.tensor(values, dtype=torch.float64).median().item() or (
        max(values) > 1000 * min(values)
    )


def _curve(curve: Curve) -> dict[str, Any]:
    steps, values = thin_curve(curve.steps, curve.values, _MAX_POINTS)
    return {
        "name": curve.name,
        "style": curve.style,
        "steps": [round(step, 1) if step % 1 else int(step) for step in steps],
        "values": [_number(value, 5) for value in values],
    }


def _map(layer_map: LayerMap) -> dict[str, Any]:
    scale = layer_map.scale
    values = layer_map.values.log10() if scale.logarithmic else layer_map.values
    values, layers = thin_rows(values, layer_map.layers, _MAX_ROWS)
    most = min(_MAX_COLUMNS, max(_MIN_COLUMNS, _MAX_CELLS // max(1, len(layers))))
    values, steps = thin_columns(values, layer_map.steps, most)
    cells: Tensor = 10**values if scale.logarithmic else values
    return {
        "title": layer_map.title,
        "layers": layers,
        "steps": steps,
        "values": [[_number(value, 3, None) for value in row] for row in cells.tolist()],
        "low": scale.low,
        "high": scale.high,
        "logarithmic": scale.logarithmic,
        "centred": layer_map.centred,
        "ticks": [[value, words] for value, words in scale.ticks.items()],
    }


def _number(value: float, digits: int = 5, missing: str | None = "NaN") -> float | str | None:
    """Shorten a number; infinity becomes a text, NaN becomes ``missing``."""
    short = encode(value, digits)
    if isinstance(short, str):
        return missing if short == "NaN" else short
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _in_words(value: float) -> str:
    return f"{value:,.4g}"
