"""Decide whether to stop, from the curves alone: no Trainer, no clock, no other rank."""

from collections.abc import Mapping, Sequence
from math import isfinite, isnan, nan
from typing import Any, Protocol

from lightning.pytorch.utilities import rank_zero_warn

from .criteria import (
    CriterionName,
    beyond_threshold,
    diverged,
    generalizes_worse,
    not_finite,
    out_of_patience,
    progresses_too_little,
    rises,
)
from .curve import Curve, Mode, Position, Unit
from .readings import Reading
from .reason import StoppingReason, Verdict


class Rules(Protocol):
    """Attributes of :class:`EarlyStopping` read at every check, so that they may be changed."""

    patience: float
    patience_unit: Unit
    require: str
    start_from_epoch: int
    start_from_step: int
    check_finite: bool
    stopping_threshold: float | None
    divergence_threshold: float | None
    baseline: float | None
    baseline_by_epoch: float | None
    max_minutes: float | None
    criterion: CriterionName
    alpha: float
    strip_length: int
    max_loss_ratio: float | None


class Judge:
    """The curves of all monitors and the verdict on them.

    Args:
        rules: The limits.
        modes: Mode of each monitor; the best weights are those of the first.
        **judging: Arguments of :class:`Curve` for how improvements are judged.
    """

    def __init__(self, rules: Rules, modes: Mapping[str, Mode], **judging: Any) -> None:
        self.rules = rules
        self.curves = {name: Curve(name, mode, **judging) for name, mode in modes.items()}
        # With an epoch to reach it by, the baseline does not affect patience.
        self.first.baseline = rules.baseline if rules.baseline_by_epoch is None else None
        self.clear()

    def clear(self) -> None:
        """Forget all checks."""
        for curve in self.curves.values():
            curve.clear()
        self.last: dict[str, Reading] = {}
        # Readings behind a stop that the Trainer's minimum defers, until there is a new best.
        self._held: dict[str, Reading] = {}
        # For each monitor, the lowest value on each rank.
        self._lowest: dict[str, list[float]] = {}

    @property
    def first(self) -> Curve:
        """Curve of the first monitor."""
        return next(iter(self.curves.values()))

    def add(
        self, readings: Mapping[str, Reading], at: Position, training_loss: float = float("nan")
    ) -> bool:
        """Add a check, and return whether it is the first monitor's best so far."""
        self._hold()
        self.last = dict(readings)
        for name, values in readings.items():
            self._lowest[name] = _lowest_of(values, self._lowest.get(name, []))
        improved = {
            name: self.curves[name].add(_mean(values), at, training_loss)
            for name, values in readings.items()
        }
        if improved.get(self.first.monitor):
            self._held = {}
            return True
        return False

    def _hold(self) -> None:
        if self._failed(self.last) or self._reached(self.last):
            self._held = self.last

    def fail(self, readings: Mapping[str, Reading]) -> None:
        """Record only the non-finite readings of a check during warm-up."""
        lost = {name: values for name, values in readings.items() if not all(map(isfinite, values))}
        self._hold()
        self.last = lost
        for name, values in lost.items():
            self._lowest.setdefault(name, [nan] * len(values))

    def begin(self, at: Position) -> None:
        """Start counting here, unless counting has already started."""
        for curve in self.curves.values():
            curve.begin(at)

    def wait(self, at: Position) -> None:
        """Start counting here: earlier training is warm-up."""
        for curve in self.curves.values():
            curve.wait(at)

    @property
    def last_position(self) -> Position | None:
        """Position of the last check of any monitor."""
        last = [curve.positions[-1] for curve in self.curves.values() if curve.positions]
        return max(last, key=lambda position: position.steps, default=None)

    def verdict(self, at: Position) -> Verdict | None:
        """Decide whether to stop after the last check, and why; None to continue."""
        each = (self.last, self._held)
        at_once = (judge(readings) for readings in each for judge in (self._failed, self._reached))
        return next(filter(None, at_once), None) or self._missed(at) or self._over(at)

    def _failed(self, readings: Mapping[str, Reading]) -> Verdict | None:
        rules = self.rules
        for name, values in readings.items():
            curve = self.curves[name]
            if rules.check_finite and (found := not_finite(curve, values)):
                return found
            if rules.max_loss_ratio is not None and (
                found := diverged(curve, values, self._lowest[name], rules.max_loss_ratio)
            ):
                return found
        if rules.divergence_threshold is None:
            return None
        first_values = readings.get(self.first.monitor, ())
        return beyond_threshold(self.first, first_values, rules.divergence_threshold)

    def _reached(self, readings: Mapping[str, Reading]) -> Verdict | None:
        values, limit = readings.get(self.first.monitor), self.rules.stopping_threshold
        if values is None or not self.first.exceeds(_mean(values), limit):
            return None
        return Verdict(
            StoppingReason.STOPPING_THRESHOLD,
            f"{self.first.monitor} = {_mean(values):.4g} is better than {limit:g}, the stopping "
            "threshold.",
        )

    def _missed(self, at: Position) -> Verdict | None:
        baseline, limit, curve = self.rules.baseline, self.rules.baseline_by_epoch, self.first
        if baseline is None or limit is None or at.epochs < limit - 1e-9:
            return None
        if curve.has_reached(baseline):
            return None
        return Verdict(
            StoppingReason.BASELINE_MISSED,
            f"{curve.monitor} did not reach the baseline of {baseline:g} by epoch {limit:g}: its "
            f"best is {curve.describe_best()}.",
        )

    def _over(self, at: Position) -> Verdict | None:
        found = [self._ended(curve) for curve in self.curves.values()]
        verdicts = [verdict for verdict in found if verdict]
        enough = len(found) if self.rules.require == "all" else 1
        if len(verdicts) >= enough:
            sentence = " ".join(verdict.sentence for verdict in verdicts)
            return Verdict(verdicts[0].reason, sentence)
        limit = self.rules.max_minutes
        if limit is None or at.minutes < limit:
            return None
        return Verdict(
            StoppingReason.TIME_BUDGET_SPENT,
            f"The time budget of {limit:g} minutes is spent; the best {self.first.monitor} is "
            f"{self.first.describe_best()}.",
        )

    def _ended(self, curve: Curve) -> Verdict | None:
        """Judge a curve by the criterion."""
        rules = self.rules
        match rules.criterion:
            case "patience":
                return out_of_patience(curve, rules.patience, rules.patience_unit)
            case "GL":
                return generalizes_worse(curve, rules.alpha)
            case "PQ":
                return progresses_too_little(curve, rules.alpha, rules.strip_length)
            case "UP":
                return rises(curve, rules.patience, rules.strip_length)
            case _:
                raise ValueError(
                    "Expected `criterion` to be 'patience', 'GL', 'PQ' or 'UP', but got "
                    f"{rules.criterion!r}."
                )

    def warn_where_undefined(self) -> None:
        """Warn if a criterion is undefined for its losses, because it would never stop."""
        criterion = self.rules.criterion
        for name, curve in self.curves.items():
            if criterion in ("GL", "PQ") and curve.best is not None and curve.best <= 0:
                rank_zero_warn(
                    f"Expected {name} to be positive for criterion={criterion!r}, which divides by "
                    f"it, but its best is {curve.best:.4g}: use 'UP' or 'patience'."
                )
            ratio = self.rules.max_loss_ratio is not None and curve.mode == "min"
            if ratio and curve.best is not None and curve.best <= 0:
                rank_zero_warn(
                    f"Expected {name} to be positive for `max_loss_ratio`, but its best is "
                    f"{curve.best:.4g}: use `divergence_threshold`."
                )
            if criterion == "PQ" and curve.training_losses and isnan(curve.training_losses[-1]):
                rank_zero_warn(
                    "Expected `training_step` to return its loss for criterion='PQ', but got none "
                    "or NaN: return it, or use 'GL', 'UP' or 'patience'."
                )

    def state_dict(self) -> dict[str, Any]:
        """Return the curves and the last check."""
        return {
            "curves": {name: curve.state_dict() for name, curve in self.curves.items()},
            "last": {name: list(values) for name, values in self.last.items()},
            "held": {name: list(values) for name, values in self._held.items()},
            "lowest": {name: list(lowest) for name, lowest in self._lowest.items()},
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a checkpoint's curves."""
        self.clear()
        for name, state in state_dict["curves"].items():
            self.curves[name].load_state_dict(state)
        self.last = {name: tuple(values) for name, values in state_dict["last"].items()}
        self._held = {name: tuple(values) for name, values in state_dict["held"].items()}
        self._lowest = {name: list(lowest) for name, lowest in state_dict["lowest"].items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _lowest_of(values: Sequence[float], lowest: Sequence[float]) -> list[float]:
    """Return each rank's lowest value so far, or its current one if the ranks have changed."""
    if len(lowest) != len(values):
        return list(values)
    return [
        value if isnan(low) or value < low else low
        for value, low in zip(values, lowest, strict=True)
    ]
