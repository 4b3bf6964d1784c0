"""An output that its loss does not fit.

Read off the graph behind the loss, before the first step: a softmax, sigmoid or ReLU in front of a
loss that wants logits, probabilities where logarithms of them are wanted, a cross-entropy of one
output, shapes that only broadcasting makes equal, and targets that the output cannot reach. Seen
later: labels that are no class, which end a training with an error, and predictions that come to
1 or 0 and no further, with the targets beyond.
"""

import math
import statistics
from collections.abc import Iterator

from ...diagnosis import Severity
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vital_signs.signs import Objective
from ..vital_signs.vitals import Vitals

_BOUNDS = {
    "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf),
    "hardtanh": (-1.0, 1.0), "softplus": (0.0, math.inf), "exp": (0.0, math.inf),
}  # fmt: skip
_SQUASHED = ("softmax", "sigmoid", "relu", "tanh", "hardtanh")
_NO_LOGARITHMS = {
    "softmax": "probabilities.",
    "log_softmax": "a `log_softmax` that was not taken over the classes, the second dimension.",
}
_EACH_ITS_OWN = (
    "Use `binary_cross_entropy_with_logits` without the softmax: each label has its own."
)
_BATCHES_TO_BE_DEAF = 20
_MAX_DISTANCE_FROM_ONE_LABEL = 0.05
_MAX_DISTANCE_FROM_BOUND = 0.02
_MIN_BATCHES_NEAR_BOUND = 8
_MIN_MISS_IN_DEVIATIONS = 0.25
_MIN_HARMLESS_GAIN = 0.9
_Found = tuple[Severity, str, str]


def examine(vitals: Vitals) -> list[Symptom]:
    """Find the first thing that does not fit."""
    at_once = (
        *_outside(vitals), *_deaf(vitals), *_mismatches(vitals.objective), *_beside(vitals)
    )  # fmt: skip
    in_time = (*_at_bound(vitals), *_beyond_bound(vitals))
    seen = [*((found, 1) for found in at_once), *((found, 3) for found in in_time)]
    for (severity, evidence, advice), reports in seen:
        problem, remedies = Problem.OUTPUT_LOSS_MISMATCH, (Remedy(advice),)
        return [Symptom(problem, severity, evidence, {}, remedies, reports=reports)]
    return []


def _outside(vitals: Vitals) -> Iterator[_Found]:
    if vitals.label_error:
        yield (
            "critical",
            f"A label is none of the classes: {vitals.label_error}",
            "Count labels from 0 up to the number of outputs minus 1.",
        )
    least, most = vitals.objective.target_range
    if vitals.objective.task == "binary" and (least < 0 or most > 1):
        yield (
            "critical",
            f"Labels go from {least:g} to {most:g}, and a binary cross-entropy wants 0 to 1.",
            "Call one class 0 and the other 1.",
        )


def _deaf(vitals: Vitals) -> Iterator[_Found]:
    losses, table = vitals.losses[-_BATCHES_TO_BE_DEAF:], vitals.gradients.table
    moves = not table.numel() or bool(table.any())
    moves |= any(layer.identical_units for layer in vitals.layers)  # or never will
    if len(losses) == _BATCHES_TO_BE_DEAF and min(losses) == max(losses) and not moves:
        yield (
            "critical",
            f"The loss is exactly {losses[-1]:.4g} for every batch, and no weight has a gradient: "
            "it does not hang on what the network says.",
            "Look at the output: a softmax of one number is 1, and an argmax has no gradient.",
        )


def _beside(vitals: Vitals) -> Iterator[_Found]:
    """The same of losses beside the first."""
    for kind, output in vitals.side_losses:
        for severity, evidence, advice in _mismatches(Objective(kind=kind, output=output)):
            yield severity, f"Of several losses, one does not fit. {evidence}", advice


def _at_bound(vitals: Vitals) -> Iterator[_Found]:
    """Predictions that go as far towards the targets as something lets them, as a cosine does."""
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
            f"Targets go from {least:.4g} to {most:.4g}, and predictions have come to "
            f"{high if reaches[0] > 0 else low:.4g} and never further than {reaches[0]:g}.",
            "Scale what is bounded, such as a cosine, to the targets, or leave it out.",
        )


def _beyond_bound(vitals: Vitals) -> Iterator[_Found]:
    """Predictions of which many come to 1 and none goes beyond, as a tanh lets them."""
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
        # What is right on average has a bound on purpose, and noise beyond it.
        if (
            len(near) < _MIN_BATCHES_NEAR_BOUND
            or farthest > 1
            or not statistics.fmean(near) > _MIN_MISS_IN_DEVIATIONS * deviation
        ):
            continue
        yield (
            "warning",
            f"Targets go from {least:.4g} to {most:.4g}. Predictions came within "
            f"{_MAX_DISTANCE_FROM_BOUND:g} of {bound:g} in {len(near)} of the last {len(late)} "
            "batches that were looked at, never beyond, and there the targets lie "
            f"{statistics.fmean(near):.2g} farther on average.",
            "Put a linear layer behind what is bounded, such as a tanh or the state of an LSTM.",
        )


def _mismatches(objective: Objective) -> Iterator[_Found]:
    yield from _of_shapes(objective)
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
            f"Predictions of shape {prediction} meet targets of shape {target}: every one is "
            "compared with every other.",
            "Give both the same shape, as in `prediction.squeeze(1)`.",
        )


def _of_cross_entropy(objective: Objective) -> Iterator[_Found]:
    if objective.classes == 1:
        yield (
            "critical",
            "A cross-entropy of one output is 0 whatever the output.",
            "Use `binary_cross_entropy_with_logits`, or as many outputs as classes.",
        )
    if objective.output in _SQUASHED:
        yield (
            "warning",
            f"The cross-entropy wants logits and gets the output of a {objective.output}, which "
            "bounds what it can reach.",
            f"Leave the {objective.output} out: the loss has its own softmax.",
        )


def _of_rates(objective: Objective) -> Iterator[_Found]:
    yield (
        "critical",
        "`poisson_nll_loss` takes what it gets for logarithms of rates, and gets the output of "
        f"{objective.output}.",
        "Say `log_input=False`, or leave the function out.",
    )


def _of_log_probabilities(objective: Objective) -> Iterator[_Found]:
    low, high = objective.sum_range
    if not (abs(low - 1) < 0.05 and abs(high - 1) < 0.05):
        yield (
            "critical",
            f"`{objective.kind}_loss` wants logarithms of probabilities and gets "
            f"{_NO_LOGARITHMS.get(objective.output or '', 'numbers that are none.')}",
            "Use `cross_entropy` on the logits."
            if objective.kind == "nll"
            else "Give it `logits.log_softmax(-1)`.",
        )


def _of_probabilities(objective: Objective) -> Iterator[_Found]:
    if objective.output == "softmax" and objective.classes == 1:
        yield (
            "critical",
            "A softmax of one output is 1 whatever the output.",
            "Use `binary_cross_entropy_with_logits` on the output itself.",
        )
    elif (
        objective.output == "softmax"
        and abs(objective.positives - 1) > _MAX_DISTANCE_FROM_ONE_LABEL
    ):
        yield "critical", _too_many_labels(objective), _EACH_ITS_OWN


def _of_several_labels(objective: Objective) -> Iterator[_Found]:
    yield "warning", f"A cross-entropy has a softmax. {_too_many_labels(objective)}", _EACH_ITS_OWN


def _too_many_labels(objective: Objective) -> str:
    return (
        "The probabilities of a softmax add up to 1, and the labels of a sample to "
        f"{objective.positives:.2g} on average: they cannot all be right."
    )


def _of_logits(objective: Objective) -> Iterator[_Found]:
    if objective.output in _SQUASHED:
        yield (
            "warning",
            f"`binary_cross_entropy_with_logits` wants logits and gets the output of a "
            f"{objective.output}.",
            f"Leave the {objective.output} out: the loss has its own sigmoid.",
        )


def _of_divergence(objective: Objective) -> Iterator[_Found]:
    yield (
        "critical",
        f"`kl_div` wants logarithms of probabilities and gets the output of a {objective.output}.",
        "Give it `log_softmax` of the logits, and probabilities as targets.",
    )


def _of_margins(objective: Objective) -> Iterator[_Found]:
    least, most = objective.target_range
    if least == 0 < most:
        yield (
            "critical",
            f"A hinge loss wants labels of -1 and 1 and gets {least:g} to {most:g}: what is "
            "labelled 0 has no part in it.",
            "Use `2 * target - 1`, or `binary_cross_entropy_with_logits`.",
        )


def _of_values(objective: Objective) -> Iterator[_Found]:
    low, high = _BOUNDS.get(objective.output or "", (-math.inf, math.inf))
    least, most = objective.target_range
    slack = 0.01 * (most - least)
    if least < low - slack or most > high + slack:
        yield (
            "critical",
            f"Targets go from {least:.4g} to {most:.4g}, and the output is a {objective.output}, "
            f"from {low:g} to {high:g}.",
            f"Leave the {objective.output} out, or scale the targets.",
        )
