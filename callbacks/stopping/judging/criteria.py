"""What ends a curve: patience, or Prechelt's signs of over-fitting."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from ....functional.early_stopping import (
    generalization_loss,
    progress_quotient,
    successive_increases,
)
from .curve import Curve, Unit
from .reason import StoppingReason, Verdict

CriterionName = Literal["patience", "GL", "PQ", "UP"]


class Criterion(Protocol):
    """Says whether a curve is at its end; a pure function of the curve."""

    def __call__(self, curve: Curve) -> Verdict | None:
        """The verdict, or None to go on."""
        ...


@dataclass(frozen=True)
class Patience:
    """No improvement for this long."""

    patience: float
    unit: Unit = "checks"

    def __call__(self, curve: Curve) -> Verdict | None:
        """Stop where patience is exhausted."""
        waited = curve.waited(self.unit)
        if curve.wait_from == len(curve.values) - 1 or waited < self.patience - 1e-9:
            return None
        limit = f"{waited:.4g} {self.unit} (patience {self.patience:g})"
        return Verdict(StoppingReason.PATIENCE_EXHAUSTED, f"{_lack(curve)} for {limit}.")


def _lack(curve: Curve) -> str:
    best = curve.describe_best()
    if curve.baseline is not None and not curve.is_past:
        return (
            f"{curve.judged_name} did not get past {curve.baseline:g}, the baseline (best: {best}),"
        )
    if curve.reference is None:
        return f"{curve.monitor} was never finite"
    delta = f"{abs(curve.min_delta):g}{' of it' if curve.relative else ''}"
    if curve.min_delta < 0:
        return f"{curve.judged_name} was worse than {curve.reference:.4g} by {delta} (best: {best})"
    by = f" by {delta}" if curve.min_delta else ""
    if curve.reference == curve.best:
        return f"{curve.monitor} did not improve on {best}{by}"
    return f"{curve.judged_name} did not improve on {curve.reference:.4g}{by} (best: {best})"


@dataclass(frozen=True)
class GeneralizationLoss:
    """The validation loss is this many percent above its lowest (GL)."""

    alpha: float

    def __call__(self, curve: Curve) -> Verdict | None:
        """Stop where it is."""
        if not curve.judged:
            return None
        lost = float(generalization_loss(_tensor(curve.judged))[-1])
        if not lost > self.alpha:
            return None
        return _overfitting(
            f"{curve.judged_name} is {lost:.3g}% above its lowest (GL, alpha {self.alpha:g}; best: "
            f"{curve.describe_best()})"
        )


@dataclass(frozen=True)
class ProgressQuotient:
    """The loss of generalisation is too high for what training still gains (PQ)."""

    alpha: float
    strip_length: int = 5

    def __call__(self, curve: Curve) -> Verdict | None:
        """Stop where it is, at the end of a strip."""
        judged = _whole_strips(curve, self.strip_length)
        if not judged:
            return None
        training = _tensor(curve.training_losses[: len(judged)])
        quotient = progress_quotient(_tensor(judged), training, self.strip_length)[-1].item()
        if not quotient > self.alpha:
            return None
        return _overfitting(
            f"{curve.judged_name} has risen by more than the training loss still moves, quotient "
            f"{quotient:.3g} (PQ, alpha {self.alpha:g}; best: {curve.describe_best()})"
        )


@dataclass(frozen=True)
class SuccessiveIncreases:
    """The validation loss ended this many strips in a row above the one before (UP)."""

    strips: float
    strip_length: int = 5

    def __call__(self, curve: Curve) -> Verdict | None:
        """Stop where it did, at the end of a strip."""
        judged = _whole_strips(curve, self.strip_length)
        if not judged:
            return None
        count = int(successive_increases(_tensor(judged), self.strip_length)[-1])
        if count == 0 or count < self.strips:
            return None
        return _overfitting(
            f"{curve.judged_name} rose in {count} strips of {self.strip_length} checks in a row "
            f"(UP, patience {self.strips:g}; best: {curve.describe_best()})"
        )


def _whole_strips(curve: Curve, length: int) -> list[float]:
    """Checks up to the end of the last strip; none where there was a new best since.

    A stop that is held back, by the Trainer's minimum or for another monitor, stands until then.
    """
    end = len(curve.judged) // length * length
    parts = (curve.judged[:end], curve.judged[end:])
    whole, since = (min((v for v in part if v == v), default=math.inf) for part in parts)
    return [] if since < whole else curve.judged[:end]


def diverged(
    curve: Curve, values: Sequence[float], lowest: Sequence[float], ratio: float
) -> Verdict | None:
    """Whether a loss is over ``ratio`` times its best, on any rank its own.

    Args:
        curve: That of the mean over the ranks.
        values: Of each rank.
        lowest: The lowest of each rank so far.
        ratio: The limit.
    """
    if curve.mode == "max":
        return None
    for value, best in zip(values, lowest, strict=True):
        if best > 0 and value > ratio * best:
            said = curve.describe_best() if best == curve.best else f"{best:.4g}"
            where = " on its rank" if len(values) > 1 else ""
            sentence = f"{curve.monitor} = {value:.4g} is over {ratio:g} times its best{where}"
            return Verdict(StoppingReason.DIVERGED, f"{sentence}, {said}.")
    return None


def not_finite(curve: Curve, worst: float) -> Verdict | None:
    """Whether a value is NaN or infinite on any rank."""
    if math.isfinite(worst):
        return None
    sentence = f"{curve.monitor} = {worst} is not finite (best: {curve.describe_best()})."
    return Verdict(StoppingReason.NON_FINITE_METRIC, sentence)


def _overfitting(sentence: str) -> Verdict:
    return Verdict(StoppingReason.OVERFITTING, f"Over-fitting: {sentence}.")


def _tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
