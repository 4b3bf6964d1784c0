"""NaN or infinity: from the first on, every weight is lost.

Any NaN or infinity in loss, gradient, weight or activation counts (SageMaker Debugger); single
steps that mixed precision skips do not. Where the loss grew out of proportion before, the cause is
the step size or the gradients, and `causes` says so.
"""

import math

from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vitals import Vitals

_FILL = (
    Remedy(
        "Find the samples that have NaN or infinity, and fill in or leave out what is missing.",
        "assert torch.isfinite(x).all()",
    ),
)


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a loss that is not finite any more, or a layer whose gradients are not."""
    recent = vitals.losses[-5:]
    lost = len(recent) == 5 and not any(map(math.isfinite, recent))
    has_gaps = _begins_with_gaps(vitals)
    # One loss is enough, or an error, where what it was made of is not finite.
    broke = vitals.is_broken_off or not all(map(math.isfinite, recent))
    if not lost and vitals.not_finite_layer is None and not (has_gaps and broke):
        return []
    first = next((i for i, v in enumerate(vitals.losses) if not math.isfinite(v)), None)
    finite = [v for v in vitals.losses[:first] if math.isfinite(v)][-1:]
    layer = vitals.inputs.layer if has_gaps else vitals.not_finite_layer
    remedies = (
        Remedy("Divide the learning rate by ten.", f"lr={vitals.learning_rate_peak / 10:.3g}"),
        Remedy("Clip the gradients.", "Trainer(gradient_clip_val=1.0)"),
        Remedy(
            "Find the operation: a logarithm, root or division of zero, or NaN in the data.",
            "Trainer(detect_anomaly=True)",
        ),
    )
    measurements = {
        "batch": float(first or 0),
        "last_finite_loss": finite[0] if finite else math.nan,
    }
    evidence = _since(first, finite, has_gaps=has_gaps) + _where(layer, has_gaps=has_gaps)
    return [
        Symptom(
            Problem.NON_FINITE, "critical", evidence, measurements,
            _FILL if has_gaps else remedies, layer, reports=1,
        )
    ]  # fmt: skip


def _begins_with_gaps(vitals: Vitals) -> bool:
    """Whether all was finite up to a batch that was not itself, and nothing is from it on."""
    gap = vitals.inputs.first_gap
    if gap < 0:
        return False
    before, after = vitals.losses[:gap], vitals.losses[gap:]
    return all(map(math.isfinite, before)) and not any(map(math.isfinite, after))


def _since(first: int | None, finite: list[float], *, has_gaps: bool) -> str:
    if first is not None:
        before = f", and was {finite[0]:.4g} before" if finite else ""
        return f"The loss is not finite from batch {first} on{before}."
    return "Training broke off." if has_gaps else "Gradients are not finite."


def _where(layer: str | None, *, has_gaps: bool) -> str:
    if has_gaps:
        return f" What reached {layer} was not finite itself: there is NaN or infinity in the data."
    return f" The first to be so is {layer}." if layer else ""
