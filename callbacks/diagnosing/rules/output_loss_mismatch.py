"""An output that does not fit its loss.

Read off the autograd graph of the loss, before the first step: a softmax, sigmoid or ReLU before a
loss that expects logits, probabilities instead of log-probabilities, a cross-entropy of a single
output, shapes that match only by broadcasting, and targets that the output cannot reach. Seen
later: labels outside the range of classes, which end training with an error, and predictions that
go no further than 1, 0 or -1, with targets beyond.
"""

import math
import statistics

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import Gain
from ..vital_signs.signs import Objective
from ..vital_signs.vitals import Vitals

_BOUNDS = {
    "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf),
    "hardtanh": (-1.0, 1.0), "softplus": (0.0, math.inf), "exp": (0.0, math.inf),
}  # fmt: skip
_SQUASHED = ("softmax", "sigmoid", "relu", "tanh", "hardtanh")
_BATCHES_OF_CONSTANT_LOSS = 20
_MAX_DISTANCE_FROM_ONE_LABEL = 0.05
_MAX_DISTANCE_FROM_BOUND = 0.02
_MIN_BATCHES_NEAR_BOUND = 8
_MIN_MISS_IN_DEVIATIONS = 0.25
_Found = tuple[Severity, str, str]  # With evidence and advice.


def examine(vitals: Vitals) -> Finding | None:
    """Find the first mismatch of an output and its loss."""
    at_once = _outside(vitals) or _ignores_the_output(vitals)
    at_once = at_once or _mismatch(vitals.objective) or _beside(vitals)
    found = at_once or _at_bound(vitals) or _beyond_bound(vitals)
    if found is None:
        return None
    severity, evidence, advice = found
    return Finding(severity, evidence, {}, (Remedy(advice),), reports=1 if at_once else 3)


def _outside(vitals: Vitals) -> _Found | None:
    """Find labels outside the range of classes."""
    if vitals.label_error:
        return (
            "critical",
            f"A label is not a valid class: {vitals.label_error}",
            "Number the classes from 0 to the number of outputs minus 1.",
        )
    least, most = vitals.objective.target_range
    if vitals.objective.task == "binary" and (least < 0 or most > 1):
        return (
            "critical",
            f"Labels range from {least:g} to {most:g}, but binary cross-entropy expects 0 to 1.",
            "Encode one class as 0 and the other as 1.",
        )
    return None


def _ignores_the_output(vitals: Vitals) -> _Found | None:
    losses, table = vitals.losses[-_BATCHES_OF_CONSTANT_LOSS:], vitals.gradients.table
    moves = not table.numel() or bool(table.any())
    moves |= any(layer.identical_units for layer in vitals.layers)  # See `symmetric_weights`.
    if moves or len(losses) < _BATCHES_OF_CONSTANT_LOSS or min(losses) != max(losses):
        return None
    return (
        "critical",
        f"The loss is exactly {losses[-1]:.4g} for every batch, and no weight has a gradient: "
        "it does not depend on the network's output.",
        "Check the output: a softmax of one number is 1, and an argmax has no gradient.",
    )


def _beside(vitals: Vitals) -> _Found | None:
    """Find the same mismatches in further losses."""
    # Several optimisers may follow one loss, which is not read before the first step.
    which = "" if vitals.objective.kind is None else "One of several losses does not fit. "
    for kind, output in vitals.side_losses:
        if found := _mismatch(Objective(kind=kind, output=output)):
            severity, evidence, advice = found
            return severity, f"{which}{evidence}", advice
    return None


def _at_bound(vitals: Vitals) -> _Found | None:
    """Find predictions held at a bound short of the targets, such as those of a cosine."""
    objective, means = vitals.objective, vitals.target_means
    if objective.task != "regression" or objective.output in _BOUNDS or not means:
        return None
    if vitals.has_learned or vitals.is_falling or not vitals.had_a_long_chance:
        return None
    (low, high), mean = objective.predicted_range, statistics.fmean(means)
    reaches = [
        bound for bound in (-1.0, 0.0) if mean < bound <= low < bound + _MAX_DISTANCE_FROM_BOUND
    ]
    reaches += [1.0] if low >= -1 and 1 - _MAX_DISTANCE_FROM_BOUND < high <= 1 < mean else []
    if not reaches:
        return None
    least, most = objective.target_range
    return (
        "critical",
        f"Targets range from {least:.4g} to {most:.4g}, but predictions reach "
        f"{high if reaches[0] > 0 else low:.4g} and never go beyond {reaches[0]:g}.",
        "Scale bounded outputs, such as a cosine, to the range of the targets, or remove the "
        "bound.",
    )


def _beyond_bound(vitals: Vitals) -> _Found | None:
    """Find predictions that often come close to 1 or -1 but never exceed it, as with a tanh."""
    objective = vitals.objective
    if objective.task != "regression" or objective.output in _BOUNDS:
        return None
    if vitals.gain > Gain.EXCELLENT or not vitals.had_a_long_chance:
        return None
    if not objective.target_variance > 0:
        return None
    least, most = objective.target_range
    low, high = objective.predicted_range
    for bound, farthest, ends, missed in (
        (1.0, high, vitals.predicted_max, vitals.missed_above),
        (-1.0, -low, [-end for end in vitals.predicted_min], vitals.missed_below),
    ):
        late = list(zip(ends, missed, strict=True))[len(ends) // 2 :]
        near = [by for end, by in late if end > 1 - _MAX_DISTANCE_FROM_BOUND]
        if len(near) < _MIN_BATCHES_NEAR_BOUND or farthest > 1:
            continue
        # If predictions are right on average, the bound is intended, and noise lies beyond it.
        beyond = statistics.fmean(near)
        if beyond > _MIN_MISS_IN_DEVIATIONS * math.sqrt(objective.target_variance):
            return (
                "warning",
                f"Targets range from {least:.4g} to {most:.4g}. Predictions came within "
                f"{_MAX_DISTANCE_FROM_BOUND:g} of {bound:g} in {len(near)} of the last {len(late)} "
                "observed batches and never went beyond, although the targets there lie "
                f"{beyond:.2g} further on average.",
                "Put a linear layer after a bounded output, such as a tanh or the state of an "
                "LSTM.",
            )
    return None


def _mismatch(objective: Objective) -> _Found | None:
    """Find what is wrong with the output for this kind of loss."""
    if objective.shapes is not None and objective.task != "classification":
        prediction, target = objective.shapes
        return (
            "critical",
            f"Predictions of shape {prediction} are broadcast against targets of shape {target}: "
            "each is compared with every other.",
            "Give both the same shape, e.g. with `prediction.squeeze(1)`.",
        )
    if objective.overlaps_logits:
        return (
            "critical" if objective.kind == "overlap" else "warning",
            "An overlap, as of Dice or Jaccard, expects probabilities but gets the output of a "
            "layer: without bounds, its best is nothing like the mask.",
            "Apply a sigmoid, or a softmax over the classes, before the overlap.",
        )
    return _of_classes(objective) or _of_logarithms(objective) or _of_range(objective)


def _of_classes(objective: Objective) -> _Found | None:
    """Find an output that the loss's own softmax or sigmoid does not fit, or a softmax too many."""
    output, is_single = objective.output, objective.classes == 1
    several = abs(objective.positives - 1) > _MAX_DISTANCE_FROM_ONE_LABEL
    too_many = (
        f"The probabilities of a softmax add up to 1, but a sample has {objective.positives:.2g} "
        "labels on average: they cannot all be right."
    )
    apart = (
        "Use `binary_cross_entropy_with_logits` without the softmax: it treats each label by "
        "itself."
    )
    match objective.kind:
        case "cross_entropy" if is_single:
            return (
                "critical",
                "The cross-entropy of a single output is always 0.",
                "Use `binary_cross_entropy_with_logits`, or as many outputs as classes.",
            )
        case "cross_entropy" if output in _SQUASHED:
            return (
                "warning",
                f"The cross-entropy expects logits but gets the output of a {output}, which "
                "bounds how low it can get.",
                f"Remove the {output}: the loss applies its own softmax.",
            )
        case "bce_logits" if output in _SQUASHED:
            return (
                "warning",
                "`binary_cross_entropy_with_logits` expects logits but gets the output of a "
                f"{output}.",
                f"Remove the {output}: the loss applies its own sigmoid.",
            )
        case "bce" if output == "softmax" and is_single:
            return (
                "critical",
                "The softmax of a single output is always 1.",
                "Use `binary_cross_entropy_with_logits` on the output itself.",
            )
        case "bce" if output == "softmax" and several:
            return "critical", too_many, apart
        case "multi_hot":
            return "warning", f"The cross-entropy applies a softmax. {too_many}", apart
    return None


def _of_logarithms(objective: Objective) -> _Found | None:
    """Find an output that is no logarithm, for a loss that expects logarithms."""
    output, (low, high) = objective.output, objective.sum_range
    match objective.kind:
        case "nll" | "ctc" if not (abs(low - 1) < 0.05 and abs(high - 1) < 0.05):
            gets = {
                "softmax": "probabilities.",
                "log_softmax": (
                    "a `log_softmax` over another dimension than that of the classes, the second."
                ),
            }
            return (
                "critical",
                f"`{objective.kind}_loss` expects log-probabilities but gets "
                f"{gets.get(output or '', 'other numbers.')}",
                "Use `cross_entropy` on the logits."
                if objective.kind == "nll"
                else "Pass `logits.log_softmax(-1)`.",
            )
        case "divergence":
            return (
                "critical",
                f"`kl_div` expects log-probabilities but gets the output of a {output}.",
                "Pass `log_softmax` of the logits, and probabilities as targets.",
            )
        case "poisson":
            return (
                "critical",
                f"`poisson_nll_loss` expects logarithms of rates but gets the output of {output}.",
                "Set `log_input=False`, or remove the function.",
            )
    return None


def _of_range(objective: Objective) -> _Found | None:
    """Find targets that the loss does not expect, or that the output cannot reach."""
    low, high = _BOUNDS.get(objective.output or "", (-math.inf, math.inf))
    least, most = objective.target_range
    slack = 0.01 * (most - least)
    match objective.kind:
        case "hinge" if least == 0 < most:
            return (
                "critical",
                f"A hinge loss expects labels of -1 and 1 but gets {least:g} to {most:g}: samples "
                "labelled 0 have no effect.",
                "Use `2 * target - 1`, or `binary_cross_entropy_with_logits`.",
            )
        case "squared" | "huber" | "absolute" if least < low - slack or most > high + slack:
            return (
                "critical",
                f"Targets range from {least:.4g} to {most:.4g}, but the output is a "
                f"{objective.output}, which ranges from {low:g} to {high:g}.",
                f"Remove the {objective.output}, or scale the targets.",
            )
    return None
