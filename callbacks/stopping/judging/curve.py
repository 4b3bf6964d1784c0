"""One monitored metric, check by check."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from ....functional.early_stopping import exponential_average, windowed_median

Mode = Literal["min", "max"]
Smoothing = Literal["none", "ema", "median"]
Unit = Literal["checks", "epochs", "steps", "minutes"]

# Values that are relatively closer than this may differ by the rounding of float32 alone.
_ROUNDING = 1e-7
# In an average over a span w, values older than this many w are lost in double precision.
_WINDOWS_REMEMBERED = 20


@dataclass(frozen=True)
class Position:
    """The point in training at which a check took place.

    Attributes:
        epoch: Index of the epoch, from 0.
        epochs: Epochs trained, including the fraction of the last.
        steps: Number of optimiser steps.
        minutes: Minutes trained, including earlier runs that this one resumes.
    """

    epoch: int = 0
    epochs: float = 0.0
    steps: int = 0
    minutes: float = 0.0


class Curve:
    """Values of one metric, the best of them, and the state of patience.

    The best is an unsmoothed value, because it belongs to weights that existed. Patience is reset
    when the smoothed values improve. Both must improve by more than ``min_delta``. If that is
    negative, a value that is worse than the last one that reset patience, but by less than this,
    resets it again; the best value is not affected.

    Args:
        monitor: The metric's name.
        mode: Whether the metric should be minimised or maximised.
        min_delta: Change that an improvement must exceed.
        relative: Whether ``min_delta`` is a fraction of the value to beat.
        smoothing: How values are smoothed before they are judged.
        window: Number of checks to smooth over.

    Attributes:
        values: Value of each check; NaN if it was not finite.
        judged: Smoothed value of each check.
        training_losses: Mean training loss between each check and the one before.
        positions: Position of each check.
        improvements: Indices of the checks that were the best so far.
        best: Best value; None before the first.
        reference: Smoothed value of the last improvement, which the next one must beat.
        baseline: Limit that must be beaten before an improvement resets patience.
        is_past: Whether the judged values have beaten it.
        wait_from: Index of the check that last reset patience; -1 at the start.
    """

    def __init__(
        self,
        monitor: str,
        mode: Mode = "min",
        *,
        min_delta: float = 0.0,
        relative: bool = False,
        smoothing: Smoothing = "none",
        window: int = 5,
    ) -> None:
        self.monitor = monitor
        self.mode = mode
        self.min_delta = min_delta
        self.relative = relative
        self.smoothing = smoothing
        self.window = window
        self.baseline: float | None = None
        self.clear()

    def clear(self) -> None:
        """Forget all checks."""
        self.values: list[float] = []
        self.training_losses: list[float] = []
        self.positions: list[Position] = []
        self.improvements: list[int] = []
        self.best: float | None = None
        self._start: Position | None = None
        # Best value and number of checks waited before the first one here.
        self._adopted: tuple[float | None, int] = (None, 0)
        self._judge_all()

    def begin(self, at: Position) -> None:
        """Start counting patience here, unless it has already started."""
        self._start = self._start or at

    def wait(self, at: Position) -> None:
        """Start counting patience here: earlier training does not count."""
        self._start = at

    def adopt(self, best: float, wait_count: int) -> None:
        """Continue from what Lightning's own callback saved."""
        self.clear()
        self.best = best if math.isfinite(best) else None
        self._adopted = (self.best, wait_count)
        self._judge_all()

    def add(self, value: float, at: Position, training_loss: float = math.nan) -> bool:
        """Add a check, and return whether it is the best so far."""
        if self._start is None:
            self._start = Position()
        self._judge(value)
        self.training_losses.append(training_loss)
        self.positions.append(at)
        least = max(self.min_delta, 0.0)
        improved = math.isfinite(value) and self._improves(value, self.best, least)
        if improved:
            self.best = value
            self.improvements.append(len(self.values) - 1)
        return improved

    def _judge_all(self) -> None:
        """Judge all values by the present limits."""
        values, self.values = self.values, []
        self.judged: list[float] = []
        self.is_past = False
        self.reference, waited = self._adopted
        self.wait_from = -1 - waited
        for value in values:
            self._judge(value)

    def _judge(self, value: float) -> None:
        finite = math.isfinite(value)
        self.values.append(value if finite else math.nan)
        self.judged.append(self._smooth() if finite else math.nan)
        if finite and self._renews(self.judged[-1]):
            self.wait_from = len(self.values) - 1

    def _renews(self, value: float) -> bool:
        """Whether patience is reset: by an improvement, or by beating the baseline."""
        improves = self._improves(value, self.reference, self.min_delta)
        was_past = self.baseline is None or self.is_past
        self.is_past = was_past or self.exceeds(value, self.baseline)
        if improves or (self.is_past and not was_past):
            self.reference = value
            return self.is_past
        return False

    def _smooth(self) -> float:
        if self.smoothing == "none":
            return self.values[-1]
        recent = [v for v in self.values[-_WINDOWS_REMEMBERED * self.window :] if v == v]
        values = torch.tensor(recent, dtype=torch.float64)
        average = exponential_average if self.smoothing == "ema" else windowed_median
        return float(average(values, self.window))

    def better(self, value: float, other: float) -> bool:
        """Whether a value is strictly better than another."""
        return value < other if self.mode == "min" else value > other

    def exceeds(self, value: float, limit: float | None) -> bool:
        """Whether a metric is better than a limit by more than rounding."""
        if limit is None or math.isclose(value, limit, rel_tol=_ROUNDING, abs_tol=0.0):
            return False
        return self.better(value, limit)

    def _improves(self, value: float, last: float | None, delta: float) -> bool:
        if last is None:
            return True
        if not delta:
            return self.better(value, last)
        margin = delta * abs(last) if self.relative else delta
        return self.exceeds(value, last - margin if self.mode == "min" else last + margin)

    @property
    def best_index(self) -> int:
        """Index of the best check; -1 before the first."""
        return self.improvements[-1] if self.improvements else -1

    @property
    def best_position(self) -> Position | None:
        """Position of the best check; None before the first."""
        return self.positions[self.best_index] if self.improvements else None

    def waited(self, unit: Unit) -> float:
        """Return how long patience has been running at the last check, in ``unit``."""
        if not self.values:
            return 0
        if unit == "checks":
            return len(self.values) - 1 - self.wait_from
        since = self.positions[self.wait_from] if self.wait_from >= 0 else self._start
        return float(getattr(self.positions[-1], unit) - getattr(since, unit))

    @property
    def judged_name(self) -> str:
        """Name of the judged values, for messages."""
        return self.monitor if self.smoothing == "none" else f"smoothed {self.monitor}"

    @property
    def extreme(self) -> float:
        """Best value regardless of ``min_delta``; NaN before the first."""
        known = [value for value in self.values if value == value]
        pick = min if self.mode == "min" else max
        return pick(known, default=math.nan)

    def has_reached(self, limit: float) -> bool:
        """Whether any value was at least as good as a limit."""
        best = self.extreme
        return not math.isnan(best) and not self.exceeds(limit, best)

    def describe_best(self) -> str:
        """Describe the best value and its epoch."""
        if self.best is None:
            return "none yet"
        if self.best_position is None:  # Lightning's own callback does not save it
            return f"{self.best:.4g} (before the checkpoint)"
        return f"{self.best:.4g} (epoch {self.best_position.epoch})"

    def state_dict(self) -> dict[str, Any]:
        """Return all checks as plain lists and numbers."""
        return {
            "values": list(self.values),
            "training_losses": list(self.training_losses),
            "positions": [asdict(position) for position in self.positions],
            "improvements": list(self.improvements),
            "best": self.best,
            "start": None if self._start is None else asdict(self._start),
            "adopted": self._adopted,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a checkpoint's checks, and judge them by the limits and smoothing of this run.

        The best check remains the same: it is the one whose weights were kept.
        """
        self.values = list(state_dict["values"])
        self.training_losses = list(state_dict["training_losses"])
        self.positions = [Position(**position) for position in state_dict["positions"]]
        self.improvements = list(state_dict["improvements"])
        self.best = state_dict["best"]
        start = state_dict["start"]
        self._start = None if start is None else Position(**start)
        self._adopted = state_dict["adopted"]
        self._judge_all()
