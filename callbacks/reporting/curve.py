"""Values over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["line", "faint", "dots"]


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: What it shows, in words.
        steps: Step of each value, on the loggers' axis, ascending.
        values: Value at each step; NaN and infinity are gaps.
        style: ``"faint"`` for the noise around another line, ``"dots"`` for occasional
            measurements.
    """

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    style: Style = "line"
