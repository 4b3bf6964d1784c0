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


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a loss that is not finite any more, or a layer whose gradients are not."""
    recent = vitals.losses[-5:]
    lost = len(recent) == 5 and not any(map(math.isfinite, recent))
    if not lost and vitals.not_finite_layer is None:
        return []
    first = next((i for i, v in enumerate(vitals.losses) if not math.isfinite(v)), None)
    finite = [v for v in vitals.losses[:first] if math.isfinite(v)][-1:]
    where = f" The first to be so is {vitals.not_finite_layer}." if vitals.not_finite_layer else ""
    since = (
        "Gradients are not finite."
        if first is None
        else (
            f"The loss is not finite from batch {first} on"
            f"{f', and was {finite[0]:.4g} before' if finite else ''}."
        )
    )
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
    return [
        Symptom(
            Problem.NON_FINITE, "critical", since + where, measurements, remedies,
            vitals.not_finite_layer, reports=1,
        )
    ]  # fmt: skip
