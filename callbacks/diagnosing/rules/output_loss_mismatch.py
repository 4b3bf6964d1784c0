"""An output that does not fit its loss.

Read off the autograd graph of the loss, before the first step: a softmax, sigmoid or ReLU before a
loss that expects logits, probabilities instead of log-probabilities, a cross-entropy of a single
output, shapes that match only by broadcasting, and targets that the output cannot reach. Seen
later: labels outside the range of classes, which end training with an error, and predictions that
go no further than 1, 0 or -1, with targets beyond.
"""

import math
import statistics
from collections.abc import Iterator

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.signs import Objective
from ..vital_signs.vitals import Vitals

_BOUNDS = {
    "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf),
    "hardtanh": (-1.0, 1.0), "softplus": (0.0, math.inf), "exp": (0.0, math.inf),
}  # fmt: skip
_SQUASHED = ("softmax", "sigmoid", "relu", "tanh", "hardtanh")
_NO_LOGARITHMS = {
    "softmax": "probabilities.",
    "log_softmax": "a `log_softmax` over another dimension than that of the classes, the second.",
}
_EACH_ITS_OWN = (
    "Use `binary_cross_entropy_with_logits` without the softmax: it treats each label by itself."
)
_BATCHES_OF_CONSTANT_LOSS = 20
_MAX_DISTANCE_FROM_ONE_LABEL = 0.05
_MAX_DISTANCE_FROM_BOUND = 0.02
_MIN_BATCHES_NEAR_BOUND = 8
_MIN_MISS_IN_DEVIATIONS = 0.25
_MIN_HARMLESS_GAIN = 0.9
_Found = tuple[Severity, str, str]


def examine(vitals: Vitals) -> Finding | None:
    """Find the first mismatch of an output and its loss."""
    at_once = (
        *_outside(vitals), *_ignores_the_output(vitals), *_mismatches(vitals.objective),
        *_beside(vitals),
    )  # fmt: skip
    in_time = (*_at_bound(vitals), *_beyond_bound(vitals))
    seen = [*((found, 1) for found in at_once), *((found, 3) for found in in_time)]
    for (severity, evidence, advice), reports in seen:
        remedies = (Remedy(advice),)
        return Finding(severity, evidence, {}, remedies, reports=reports)
    return None


def _outside(vitals: Vitals) -> Iterator[_Found]:
    if vitals.label_error:
        yield (
            "critical",
            f"A label is not a valid class: {vitals.label_error}",
            "Number the classes from 0 to the number of outputs minus 1.",
        )
    least, most = vitals.objective.target_range
    if vitals.objective.task == "binary" and (least < 0 or most > 1):
        yield (
            "critical",
            f"Labels range from {least:g} to {most:g}, but binary cross-entropy expects 0 to 1.",
            "Encode one class as 0 and the other as 1.",
        )


def _ignores_the_output(vitals: Vitals) -> Iterator[_Found]:
    losses, table = vitals.losses[-_BATCHES_OF_CONSTANT_LOSS:], vitals.gradients.table
    moves = not table.numel() or bool(table.any())
    moves |= any(layer.identical_units for layer in vitals.layers)  # See `symmetric_weights`.
    if len(losses) == _BATCHES_OF_CONSTANT_LOSS and min(losses) == max(losses) and not moves:
        yield (
            "critical",
            f"The loss is exactly {losses[-1]:.4g} for every batch, and no weight has a gradient: "
            "it does not depend on the network's output.",
            "Check the output: a softmax of one number is 1, and an argmax has no gradient.",
        )


def _beside(vitals: Vitals) -> Iterator[_Found]:
    """Find the same mismatches in further losses."""
    # Several optimisers may follow one loss, which is not read before the first step.
    which = "" if vitals.objective.kind is None else "One of several losses does not fit. "
    for kind, output in vitals.side_losses:
        for severity, evidence, advice in _mismatches(Objective(kind=kind, output=output)):
            yield severity, f"{which}{evidence}", advice


def _at_bound(vitals: Vitals) -> Iterator[_Found]:
    """Find predictions held at a bound short of the targets, such as those of a cosine."""
    objective, means = vitals.objective, vitals.target_means
    if objective.task != "regression" or objective.output in _BOUNDS or not means:
        return
    if vitals.has_learned or vitals.is_falling or not vitals.had_a_long_chance:
        return
    (low, high), mean = objective.predicted_range, statistics.fmean(means)
    reaches = [
        bound for bound in (-1.0, 0.0) if mean < bound <= low < bound + _MAX_DISTANCE_FROM_BOUND
    ]
    reaches += [1.0] if low >= -1 and 1 - _MAX_DISTANCE_FROM_BOUND < high <= 1 < mean else []
    if reaches:
        least, most = objective.target_range
        yield (
            "critical",
            f"Targets range from {least:.4g} to {most:.4g}, but predictions reach "
            f"{high if reaches[0] > 0 else low:.4g} and never go beyond {reaches[0]:g}.",
            "Scale bounded outputs, such as a cosine, to the range of the targets, or remove the "
            "bound.",
        )


def _beyond_bound(vitals: Vitals) -> Iterator[_Found]:
    """Find predictions that often come close to 1 or -1 but never exceed it, as with a tanh."""
    objective = vitals.objective
    if (
        objective.task != "regression"
        or objective.output in _BOUNDS
        or vitals.gain > _MIN_HARMLESS_GAIN
    ):
        return
    if not vitals.had_a_long_chance or not objective.target_variance > 0:
        return
    least, most = objective.target_range
    deviation = math.sqrt(objective.target_variance)
    low, high = objective.predicted_range
    for bound, farthest, ends, missed in (
        (1.0, high, vitals.predicted_max, vitals.missed_above),
        (-1.0, -low, [-end for end in vitals.predicted_min], vitals.missed_below),
    ):
        late = list(zip(ends, missed, strict=True))[len(ends) // 2 :]
        near = [by for end, by in late if end > 1 - _MAX_DISTANCE_FROM_BOUND]
        # If predictions are right on average, the bound is intended, and noise lies beyond it.
        if (
            len(near) < _MIN_BATCHES_NEAR_BOUND
            or farthest > 1
            or not statistics.fmean(near) > _MIN_MISS_IN_DEVIATIONS * deviation
        ):
            continue
        yield (
            "warning",
            f"Targets range from {least:.4g} to {most:.4g}. Predictions came within "
            f"{_MAX_DISTANCE_FROM_BOUND:g} of {bound:g} in {len(near)} of the last {len(late)} "
            "observed batches and never went beyond, although the targets there lie "
            f"{statistics.fmean(near):.2g} further on average.",
            "Put a linear layer after a bounded output, such as a tanh or the state of an LSTM.",
        )


def _mismatches(objective: Objective) -> Iterator[_Found]:
    yield from _of_shapes(objective)
    yield from _of_overlap(objective)
    match objective.kind:
        case "cross_entropy":
            yield from _of_cross_entropy(objective)
        case "nll" | "ctc":
            yield from _of_log_probabilities(objective)
        case "bce":
            yield from _of_probabilities(objective)
        case "bce_logits":
            yield from _of_logits(objective)
        case "divergence":
            yield from _of_divergence(objective)
        case "poisson":
            yield from _of_rates(objective)
        case "multi_hot":
            yield from _of_several_labels(objective)
        case "hinge":
            yield from _of_margins(objective)
        case "squared" | "huber" | "absolute":
            yield from _of_values(objective)
        case _:
            return


def _of_shapes(objective: Objective) -> Iterator[_Found]:
    if objective.shapes is not None and objective.task != "classification":
        prediction, target = objective.shapes
        yield (
            "critical",
            f"Predictions of shape {prediction} are broadcast against targets of shape {target}: "
            "each is compared with every other.",
            "Give both the same shape, e.g. with `prediction.squeeze(1)`.",
        )


def _of_cross_entropy(objective: Objective) -> Iterator[_Found]:
    if objective.classes == 1:
        yield (
            "critical",
            "The cross-entropy of a single output is always 0.",
            "Use `binary_cross_entropy_with_logits`, or as many outputs as classes.",
        )
    if objective.output in _SQUASHED:
        yield (
            "warning",
            f"The cross-entropy expects logits but gets the output of a {objective.output}, which "
            "bounds how low it can get.",
            f"Remove the {objective.output}: the loss applies its own softmax.",
        )


def _of_rates(objective: Objective) -> Iterator[_Found]:
    yield (
        "critical",
        "`poisson_nll_loss` expects logarithms of rates but gets the output of "
        f"{objective.output}.",
        "Set `log_input=False`, or remove the function.",
    )


def _of_log_probabilities(objective: Objective) -> Iterator[_Found]:
    low, high = objective.sum_range
    if not (abs(low - 1) < 0.05 and abs(high - 1) < 0.05):
        yield (
            "critical",
            f"`{objective.kind}_loss` expects log-probabilities but gets "
            f"{_NO_LOGARITHMS.get(objective.output or '', 'other numbers.')}",
            "Use `cross_entropy` on the logits."
            if objective.kind == "nll"
            else "Pass `logits.log_softmax(-1)`.",
        )


def _of_probabilities(objective: Objective) -> Iterator[_Found]:
    if objective.output == "softmax" and objective.classes == 1:
        yield (
            "critical",
            "The softmax of a single output is always 1.",
            "Use `binary_cross_entropy_with_logits` on the output itself.",
        )
    elif (
        objective.output == "softmax"
        and abs(objective.positives - 1) > _MAX_DISTANCE_FROM_ONE_LABEL
    ):
        yield "critical", _too_many_labels(objective), _EACH_ITS_OWN


def _of_several_labels(objective: Objective) -> Iterator[_Found]:
    yield (
        "warning",
        f"The cross-entropy applies a softmax. {_too_many_labels(objective)}",
        _EACH_ITS_OWN,
    )


def _too_many_labels(objective: Objective) -> str:
    return (
        f"The probabilities of a softmax add up to 1, but a sample has {objective.positives:.2g} "
        "labels on average: they cannot all be right."
    )


def _of_logits(objective: Objective) -> Iterator[_Found]:
    if objective.output in _SQUASHED:
        yield (
            "warning",
            "`binary_cross_entropy_with_logits` expects logits but gets the output of a "
            f"{objective.output}.",
            f"Remove the {objective.output}: the loss applies its own sigmoid.",
        )


def _of_divergence(objective: Objective) -> Iterator[_Found]:
    yield (
        "critical",
        f"`kl_div` expects log-probabilities but gets the output of a {objective.output}.",
        "Pass `log_softmax` of the logits, and probabilities as targets.",
    )


def _of_overlap(objective: Objective) -> Iterator[_Found]:
    if objective.overlaps_logits:
        yield (
            "critical" if objective.kind == "overlap" else "warning",
            "An overlap, as of Dice or Jaccard, expects probabilities but gets the output of a "
            "layer: without bounds, its best is nothing like the mask.",
            "Apply a sigmoid, or a softmax over the classes, before the overlap.",
        )


def _of_margins(objective: Objective) -> Iterator[_Found]:
    least, most = objective.target_range
    if least == 0 < most:
        yield (
            "critical",
            f"A hinge loss expects labels of -1 and 1 but gets {least:g} to {most:g}: samples "
            "labelled 0 have no effect.",
            "Use `2 * target - 1`, or `binary_cross_entropy_with_logits`.",
        )


def _of_values(objective: Objective) -> Iterator[_Found]:
    low, high = _BOUNDS.get(objective.output or "", (-math.inf, math.inf))
    least, most = objective.target_range
    slack = 0.01 * (most - least)
    if least < low - slack or most > high + slack:
        yield (
            "critical",
            f"Targets range from {least:.4g} to {most:.4g}, but the output is a "
            f"{objective.output}, which ranges from {low:g} to {high:g}.",
            f"Remove the {objective.output}, or scale the targets.",
        )
