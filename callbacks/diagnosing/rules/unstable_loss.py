"""A loss that swings by more than the noise of its mini-batches explains.

TheDeepChecker counts sign changes, AUTOTRAINER swings of the accuracy; both flag the plain noise of
small batches. Here, changes of window means are compared with what the spread within windows leads
one to expect, and the swing must be a good part of the loss itself. Batches of one class each, from
data that is not shuffled, drive the network from one class to the next. With batches of one sample,
the default of a `DataLoader`, or of very few, noise hides any swing: validation shows it, or, for
one sample, steps that stay large. Squared errors of a few outliers may be nearly all of the loss.
"""

import math
import statistics
from itertools import pairwise

from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import Gain, UpdateRatio
from ..vital_signs.vitals import Vitals

_MIN_LOSSES = 100
_MIN_SWING_OVER_NOISE = 3.0
_MIN_CHANGE_SHARE = 0.25  # Of the loss itself.
_MIN_RISES = 2
_MIN_BATCHES_LOOKED_AT = 10
_MAX_SHARE_OF_VARIANCE_WITHIN = 0.2
_MAX_RATIO_OF_MEDIAN_TO_MEAN = 0.1
_MIN_DISTANCE_IN_DEVIATIONS = 6.0
_MIN_RATIO_TO_CONSTANT = 0.7

# Batches of one sample, or of very few.
_VERY_FEW_SAMPLES = 8
_MIN_STEPS_FOR_EACH_BATCH = 0.9
_MIN_SHARE_LEFT_TO_LEARN = 0.3
_RECENT_CHECKS = 4
_MIN_RATIO_OF_CHECKS = 1.25
_FIRST_UPDATES = 5
_LAST_UPDATES = 5
_LARGE_RATIO_OF_ONE_SAMPLE = 5e-3
_HUGE_RATIO_OF_ONE_SAMPLE = 5e-2


def examine(vitals: Vitals) -> Finding | None:
    """Find unshuffled batches, dominant outliers, or a loss that swings and gets nowhere."""
    found = _sorted(vitals) or _of_outliers(vitals) or _swinging(vitals)
    return found or _of_few_samples(vitals)


def _sorted(vitals: Vitals) -> Finding | None:
    if vitals.objective.task == "regression":
        return _sorted_values(vitals)
    pairs, counts = vitals.same_class_pairs, vitals.objective.target_counts
    several = sum(count > 0 for count in counts) > 1
    if len(pairs) < _MIN_BATCHES_LOOKED_AT or not several or not vitals.labels_samples:
        return None
    pure, expected = statistics.fmean(pairs), sum((c / sum(counts)) ** 2 for c in counts)
    if not pure > (1 + expected) / 2:
        return None
    evidence = (
        f"Batches hold hardly more than one class each: {pure:.0%} of the pairs in a batch share "
        f"a class, where shuffled data would have {expected:.0%}."
    )
    return _unshuffled(evidence, {"same_class_pairs": pure, "expected": expected})


def _sorted_values(vitals: Vitals) -> Finding | None:
    variances, whole = vitals.target_spreads, vitals.objective.target_variance
    if len(variances) < _MIN_BATCHES_LOOKED_AT or not whole > 0 or not vitals.labels_samples:
        return None
    if not vitals.objective.of_batch:
        return None  # Targets that depend on the network, as in Q-learning, grow as it learns.
    # A few outliers dominate the mean variance, and a single small batch may have any variance.
    within = max(statistics.fmean(variances), statistics.median(variances)) / whole
    if not within < _MAX_SHARE_OF_VARIANCE_WITHIN or not vitals.had_a_chance:
        return None
    evidence = (
        f"Batches hold similar targets: their variance within a batch is {within:.0%} of that "
        "over all batches."
    )
    return _unshuffled(evidence, {"variance_within": within})


def _unshuffled(evidence: str, figures: dict[str, float]) -> Finding:
    remedies = (
        Remedy("Shuffle the training data.", "DataLoader(dataset, shuffle=True)"),
        Remedy("Shuffle a stream in a buffer of many thousand samples."),
    )
    return Finding("warning", evidence, figures, remedies, is_root=True)


def _of_outliers(vitals: Vitals) -> Finding | None:
    """Find squared errors of a few targets that are nearly all of the loss."""
    objective, half = vitals.objective, vitals.losses[len(vitals.losses) // 2 :]
    losses = [loss for loss in half if math.isfinite(loss)]
    known = objective.kind == "squared" and objective.target_variance > 0
    if not (known and objective.of_batch and vitals.had_a_long_chance):
        return None
    if len(losses) < _MIN_LOSSES or vitals.is_falling:
        return None
    usual, mean = statistics.median(losses), statistics.fmean(losses)
    if not mean > _MIN_RATIO_TO_CONSTANT * objective.target_variance:
        return None
    deviation = math.sqrt(objective.target_variance)
    mean_target = statistics.fmean(vitals.target_means or [0.0])
    farthest = max(objective.target_range, key=lambda target: abs(target - mean_target))
    distance = abs(farthest - mean_target) / deviation
    if not (
        0 < usual < _MAX_RATIO_OF_MEDIAN_TO_MEAN * mean and distance > _MIN_DISTANCE_IN_DEVIATIONS
    ):
        return None
    evidence = (
        f"Half of the batches have a loss below {usual:.4g}, but the mean is {mean:.4g}, and that "
        f"of the best constant prediction {objective.target_variance:.4g}: targets of up to "
        f"{farthest:.4g}, {distance:.0f} standard deviations from their mean, make up nearly all "
        "of it."
    )
    remedies = (
        Remedy("Inspect the largest targets: are they errors?"),
        Remedy("Use a loss that is robust to outliers, such as nn.HuberLoss.", 'loss="huber"'),
        Remedy("Clip the targets, or predict their logarithm."),
        Remedy("Clip the gradients.", "Trainer(gradient_clip_val=1.0)"),
    )
    figures = {"usual": usual, "mean": mean, "farthest": farthest}
    return Finding("warning", evidence, figures, remedies, reports=3, is_root=True)


def _swinging(vitals: Vitals) -> Finding | None:
    half = vitals.curve[len(vitals.curve) // 2 :]
    if not vitals.one_loss or len(vitals.losses) < _MIN_LOSSES or vitals.is_falling:
        return None
    mean = statistics.fmean(half)
    steps = [b - a for a, b in pairwise(half)]
    turns = sum(a * b < 0 for a, b in pairwise(steps))
    size = statistics.fmean(map(abs, steps)) / abs(mean) if mean else 0.0
    if not (vitals.swing > _MIN_SWING_OVER_NOISE and size > _MIN_CHANGE_SHARE):
        return None
    if turns < len(steps) / 3:
        return None
    # A single spike from which the loss recovers is none of a loss that swings.
    far = statistics.fmean(map(abs, steps)) / 2
    if vitals.gain > Gain.EXCELLENT or sum(step > far for step in steps) < _MIN_RISES:
        return None
    change = f"{size:.0%}" if size < 10 else f"{size:.3g} times its size"
    evidence = (
        f"The mean loss of successive windows changes by {change}, {vitals.swing:.1f} times what "
        f"the noise of the batches explains, and changed direction {turns} times in {len(steps)}."
    )
    remedies = (
        Remedy("Divide the learning rate by ten.", vitals.rate_as_code(0.1)),
        Remedy(
            "Use larger batches, or accumulate gradients.",
            "Trainer(accumulate_grad_batches=8)",
        ),
        Remedy("Decay the learning rate.", 'scheduler="cosine"'),
        Remedy("Clip the gradients.", "Trainer(gradient_clip_val=1.0)"),
    )
    figures = {"swing": vitals.swing, "change": size}
    return Finding("warning", evidence, figures, remedies, reports=3)


def _of_few_samples(vitals: Vitals) -> Finding | None:
    checks, samples = vitals.validation_losses[-_RECENT_CHECKS:], vitals.batch_size * vitals.ranks
    if not (1 <= samples <= _VERY_FEW_SAMPLES and vitals.objective.labels <= vitals.batch_size):
        return None
    if vitals.step < _MIN_STEPS_FOR_EACH_BATCH * len(vitals.losses):
        return None  # Gradients are accumulated.
    if vitals.is_falling or not vitals.gain < Gain.EXCELLENT or not vitals.had_a_long_chance:
        return None
    if samples == 1 and _are_large(vitals) and vitals.step > vitals.planned_steps / 4:
        now = statistics.median(vitals.update_ratios[-_LAST_UPDATES:])
        evidence = (
            "A batch has one sample. The training loss no longer falls, and each sample moves "
            f"the weights by about {now:.2g} of their length, where 0.001 is usual: each step "
            "undoes what the one before has learned."
        )
        return _of_few(evidence, vitals, {"update_ratio": now})
    rises = any(b > _MIN_RATIO_OF_CHECKS * a > 0 for a, b in pairwise(checks))
    falls = any(b < a / _MIN_RATIO_OF_CHECKS for a, b in pairwise(checks))
    if not (rises and falls):
        return None
    many = "one sample" if samples == 1 else f"{samples} samples"
    evidence = (
        f"A batch has {many}. The training loss no longer falls, and the validation loss swings "
        f"between {min(checks):.4g} and {max(checks):.4g}."
    )
    return _of_few(evidence, vitals, {"lowest": min(checks), "highest": max(checks)})


def _are_large(vitals: Vitals) -> bool:
    """Whether steps were huge at first and are still large, or usual with much left to learn.

    With much left to learn, it is enough that all recent steps are large.
    """
    steps = vitals.update_ratios
    if len(steps) < _FIRST_UPDATES + _LAST_UPDATES:
        return False
    first, recent = statistics.median(steps[:_FIRST_UPDATES]), steps[-_LAST_UPDATES:]
    # With single samples, the last few losses say little.
    late = statistics.fmean(vitals.losses[len(vitals.losses) // 2 :])
    is_high = late > _MIN_SHARE_LEFT_TO_LEARN * vitals.whole_constant > 0
    if first > _HUGE_RATIO_OF_ONE_SAMPLE:
        enough = UpdateRatio.USUAL if is_high else _LARGE_RATIO_OF_ONE_SAMPLE
        return statistics.median(recent) > enough
    return is_high and min(recent) > _LARGE_RATIO_OF_ONE_SAMPLE


def _of_few(evidence: str, vitals: Vitals, figures: dict[str, float]) -> Finding:
    remedies = (
        Remedy("Use larger batches.", "DataLoader(dataset, batch_size=32)"),
        Remedy("Divide the learning rate by ten.", vitals.rate_as_code(0.1)),
    )
    return Finding("warning", evidence, figures, remedies)
