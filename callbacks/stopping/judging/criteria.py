"""Criteria that end a curve: patience, or Prechelt's criteria for over-fitting.

Each is a pure function of the curve and its limits: it returns a verdict, or None to continue.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch

from ....functional.early_stopping import (
    generalization_loss,
    progress_quotient,
    successive_increases,
)
from .curve import Curve, Unit
from .reason import StoppingReason, Verdict

CriterionName = Literal["patience", "GL", "PQ", "UP"]


def out_of_patience(curve: Curve, patience: float, unit: Unit) -> Verdict | None:
    """Stop after this long without an improvement."""
    waited = curve.waited(unit)
    if curve.wait_from == len(curve.values) - 1 or waited < patience - 1e-9:
        return None
    limit = f"{waited:.4g} {unit} (patience {patience:g})"
    return Verdict(StoppingReason.PATIENCE_EXHAUSTED, f"{_lack(curve)} for {limit}.")


def _lack(curve: Curve) -> str:
    best = curve.describe_best()
    if curve.baseline is not None and not curve.is_past:
        return f"{curve.judged_name} did not beat the baseline of {curve.baseline:g} (best: {best})"
    if curve.reference is None:
        return f"{curve.monitor} was never finite"
    delta = f"{abs(curve.min_delta):g}{' of it' if curve.relative else ''}"
    if curve.min_delta < 0:
        return (
            f"{curve.judged_name} was worse than {curve.reference:.4g} by {delta} or more "
            f"(best: {best})"
        )
    by = f" by {delta}" if curve.min_delta else ""
    if curve.reference == curve.best:
        return f"{curve.monitor} did not improve on {best}{by}"
    return f"{curve.judged_name} did not improve on {curve.reference:.4g}{by} (best: {best})"


def generalizes_worse(curve: Curve, alpha: float) -> Verdict | None:
    """Stop once the validation loss is over ``alpha`` percent above its lowest value (GL)."""
    if not curve.judged:
        return None
    lost = float(generalization_loss(_tensor(curve.judged))[-1])
    if not lost > alpha:
        return None
    return _overfitting(
        f"{curve.judged_name} is {lost:.3g}% above its lowest value (GL, alpha {alpha:g}; "
        f"best: {curve.describe_best()})"
    )


def progresses_too_little(curve: Curve, alpha: float, strip_length: int) -> Verdict | None:
    """Stop once the generalisation loss is too high for the training progress (PQ)."""
    judged = _whole_strips(curve, strip_length)
    if not judged:
        return None
    training = _tensor(curve.training_losses[: len(judged)])
    quotient = progress_quotient(_tensor(judged), training, strip_length)[-1].item()
    if not quotient > alpha:
        return None
    return _overfitting(
        f"{curve.judged_name} has risen too far for the progress of the training loss, "
        f"quotient {quotient:.3g} (PQ, alpha {alpha:g}; best: {curve.describe_best()})"
    )


def rises(curve: Curve, strips: float, strip_length: int) -> Verdict | None:
    """Stop once this many successive strips each ended above the one before (UP)."""
    judged = _whole_strips(curve, strip_length)
    if not judged:
        return None
    count = int(successive_increases(_tensor(judged), strip_length)[-1])
    if count == 0 or count < strips:
        return None
    return _overfitting(
        f"{curve.judged_name} rose over {count} successive strips of {strip_length} "
        f"checks (UP, patience {strips:g}; best: {curve.describe_best()})"
    )


def _whole_strips(curve: Curve, length: int) -> list[float]:
    """Return checks up to the end of the last strip; none if there has been a new best since.

    A stop that is deferred, by the Trainer's minimum or another monitor, holds until then.
    """
    end = len(curve.judged) // length * length
    parts = (curve.judged[:end], curve.judged[end:])
    whole, since = (min((v for v in part if v == v), default=math.inf) for part in parts)
    return [] if since < whole else curve.judged[:end]


def diverged(
    curve: Curve, values: Sequence[float], lowest: Sequence[float], ratio: float
) -> Verdict | None:
    """Return a verdict if a loss is over ``ratio`` times its best, on any rank its own best.

    Args:
        curve: Curve of the mean over ranks.
        values: Value on each rank.
        lowest: Lowest value so far on each rank.
        ratio: The limit.
    """
    if curve.mode == "max":
        return None
    # A held reading may be of another number of ranks than the run that was resumed.
    for value, best in zip(values, lowest, strict=False):
        if best > 0 and value > ratio * best:
            said = curve.describe_best() if best == curve.best else f"{best:.4g}"
            where = " on that rank" if len(values) > 1 else ""
            sentence = f"{curve.monitor} = {value:.4g} is over {ratio:g} times its best{where}"
            return Verdict(StoppingReason.DIVERGED, f"{sentence}, {said}.")
    return None


def beyond_threshold(curve: Curve, values: Sequence[float], limit: float) -> Verdict | None:
    """Return a verdict if a value is worse than the divergence threshold on any rank."""
    beyond = [value for value in values if curve.exceeds(limit, value)]
    if not beyond:
        return None
    worst = max(beyond) if curve.mode == "min" else min(beyond)
    return Verdict(
        StoppingReason.DIVERGENCE_THRESHOLD,
        f"{curve.monitor} = {worst:.4g} is worse than {limit:g}, the divergence threshold.",
    )


def not_finite(curve: Curve, values: Sequence[float]) -> Verdict | None:
    """Return a verdict if a value is NaN or infinite on any rank."""
    for value in values:
        if not math.isfinite(value):
            sentence = f"{curve.monitor} = {value} is not finite (best: {curve.describe_best()})."
            return Verdict(StoppingReason.NON_FINITE_METRIC, sentence)
    return None


def _overfitting(sentence: str) -> Verdict:
    return Verdict(StoppingReason.OVERFITTING, f"Over-fitting: {sentence}.")


def _tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
