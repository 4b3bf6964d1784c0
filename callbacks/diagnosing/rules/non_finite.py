"""NaN or infinity: after the first one, every weight is lost.

Any NaN or infinity in loss, gradient, weight or activation counts (SageMaker Debugger); single
steps that mixed precision skips do not. Where the loss grew out of proportion before, the cause is
the step size or the gradients, to which `causes` attributes it.
"""

import math

from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.vitals import Vitals

_LAST_BATCHES = 5
# Some losses of many, more than an adjusting loss scale may cost.
_RECENT_BATCHES = 100
_MIN_BATCHES_LOST = 3
_MIN_SHARE_LOST = 0.02
_RECENT_CHECKS = 2
_FILL: tuple[Remedy, ...] = (
    Remedy(
        "Find the samples with NaN or infinity, and impute or drop what is missing.",
        "assert torch.isfinite(x).all()",
    ),
)
_FIND = Remedy(
    "Find the operation: log(0), a division by zero, the gradient of sqrt(0), or NaN in the data.",
    "Trainer(detect_anomaly=True)",
)


def examine(vitals: Vitals) -> Finding | None:
    """Find losses that are not finite, or a layer whose gradients are not."""
    return _for_good(vitals) or _now_and_then(vitals) or _in_validation(vitals)


def _for_good(vitals: Vitals) -> Finding | None:
    recent = vitals.losses[-_LAST_BATCHES:]
    lost = len(recent) == _LAST_BATCHES and not any(map(math.isfinite, recent))
    gaps = _gaps(vitals)
    # One non-finite loss, or an error, is enough where its inputs are not finite.
    broke = vitals.is_broken_off or not all(map(math.isfinite, recent))
    if not lost and vitals.not_finite_layer is None and not (gaps and broke):
        return None
    first = _lost_from(vitals)
    finite = [v for v in vitals.losses[:first] if math.isfinite(v)][-1:]
    layer = vitals.inputs.layer if gaps else vitals.not_finite_layer
    figures = {"batch": float(first or 0), "last_finite_loss": finite[0] if finite else math.nan}
    if first is not None:
        before = f", and was {finite[0]:.4g} before" if finite else ""
        evidence = f"The loss is not finite from batch {first} on{before}."
    else:
        evidence = "Training was aborted." if gaps else "Gradients are not finite."
    if not gaps and layer:
        evidence += f" The first affected layer is {layer}."
    shorter = (
        Remedy("Divide the learning rate by ten.", vitals.rate_as_code(0.1)),
        Remedy("Clip the gradients.", "Trainer(gradient_clip_val=1.0)"),
    )
    grew = bool(finite) and finite[0] > 2 * vitals.losses[0] > 0
    remedies = _FILL if gaps else (*shorter, _FIND) if grew else (_FIND, *shorter)
    return Finding("critical", evidence + gaps, figures, remedies, layer or None, reports=1)


def _now_and_then(vitals: Vitals) -> Finding | None:
    """Find batches with a non-finite loss among others with a finite one."""
    recent = vitals.losses[-_RECENT_BATCHES:]
    lost = sum(not math.isfinite(loss) for loss in recent)
    if lost < max(_MIN_BATCHES_LOST, _MIN_SHARE_LOST * len(recent)):
        return None
    first = _first(vitals)
    evidence = (
        f"The loss is not finite in {lost} of the last {len(recent)} batches, first in batch "
        f"{first}."
    )
    if first == vitals.first_gap:
        evidence += " That batch contained NaN or infinity."
    figures = {"batch": float(first or 0), "share": lost / len(recent)}
    remedies = (*_FILL, _FIND) if first == vitals.first_gap else (_FIND, *_FILL)
    return Finding("warning", evidence, figures, remedies, stands_alone=True)


def _in_validation(vitals: Vitals) -> Finding | None:
    checks = vitals.validation_losses[-_RECENT_CHECKS:]
    if len(checks) < _RECENT_CHECKS or any(map(math.isfinite, checks)):
        return None
    evidence = (
        f"The validation loss is {checks[-1]:.4g}, and the training loss {vitals.recent_loss:.4g}."
    )
    remedies = (
        Remedy("Look for NaN in the validation data, or an empty batch."),
        Remedy("Find the operation: log(0) or a division by zero in `validation_step`."),
    )
    figures = {"validation_loss": checks[-1], "loss": vitals.recent_loss}
    return Finding("warning", evidence, figures, remedies, reports=1, stands_alone=True)


def _lost_from(vitals: Vitals) -> int | None:
    """Return the number of the batch from which on no loss is finite; None if the last one is."""
    last = max((i for i, v in enumerate(vitals.losses) if math.isfinite(v)), default=-1)
    return last + 1 if last + 1 < len(vitals.losses) else None


def _first(vitals: Vitals) -> int | None:
    return next((i for i, v in enumerate(vitals.losses) if not math.isfinite(v)), None)


def _gaps(vitals: Vitals) -> str:
    """Describe a non-finite batch from which on, and not before, all losses are non-finite."""
    held = "The batch itself contained NaN or infinity: inspect the data."
    reached = (
        f"The input of {vitals.inputs.layer} was not finite itself: there is NaN or infinity in "
        "the data."
    )
    for gap, evidence in ((vitals.inputs.first_gap, reached), (vitals.first_gap, held)):
        before, after = vitals.losses[: max(0, gap)], vitals.losses[max(0, gap) :]
        if gap >= 0 and all(map(math.isfinite, before)) and not any(map(math.isfinite, after)):
            return f" {evidence}"
    return ""
