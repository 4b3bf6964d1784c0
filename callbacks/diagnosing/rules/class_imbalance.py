"""Rare classes that are hardly ever predicted.

Class counts that differ by a factor of ten or more (SageMaker Debugger) are only worth knowing; it
is a fault where predictions collapse onto the frequent classes.
"""

import statistics

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import RECENT_CHECKS, Gain
from ..vital_signs.vitals import Vitals

_MIN_RATIO_TO_BE_RARE = 10.0  # Of the largest class's samples to its own (SageMaker Debugger).
_MIN_EXPECTED_PREDICTIONS = 10
# Of the expected predictions.
_MAX_SHARE_PREDICTED = 0.1
_MAX_SHARE_PREDICTED_IF_ASKED = 0.2
_MAX_SHARE_PREDICTED_LATE = 0.55

_FEW_CLASSES = 20
_VERY_FEW_CLASSES = 5
_MIN_SHARE_OF_LARGEST_CLASS = 0.5
_MODEST_GAIN = 0.25
_MAX_GAIN_WITH_RARE_MISSED = 0.65
_LATE_SHARE_OF_STEPS = 0.8
_SHARE_TO_LEARN_THE_RARE = 2 / 3  # Of the planned steps.
_STEPS_TO_LEARN_THE_RARE = 1_000
_MIN_GAP_OF_ACCURACIES = 0.25
_MIN_RATIO_TO_CONSTANT_LOSS = 3.0
_BY_SAMPLE = (
    Remedy("Sample all classes equally often.", "ImageDataModule(balanced=True)"),
    Remedy(
        "Or use a weighted sampler with any data set.",
        "WeightedRandomSampler(1 / counts[labels], len(labels))",
    ),
)


def _has_collapsed(vitals: Vitals, rare: list[int]) -> bool:
    """Whether a rare class is hardly predicted, with enough samples seen to be sure."""
    counts, said = list(vitals.objective.target_counts), list(vitals.objective.predicted_counts)
    if not vitals.had_a_long_chance or len(said) != len(counts):
        return False
    if not vitals.has_learned and max(counts) < _MIN_SHARE_OF_LARGEST_CLASS * sum(counts):
        return False  # It cannot tell the frequent ones apart, either.
    enough = min(_SHARE_TO_LEARN_THE_RARE * vitals.planned_steps, _STEPS_TO_LEARN_THE_RARE)
    learns = vitals.gain > _MODEST_GAIN and (vitals.is_falling or vitals.labels_samples)
    if learns and vitals.step < enough:
        return False  # Rare classes are learned last.
    if _is_seldom_likeliest(vitals, len(counts)):
        return False
    expected = {i: sum(said) * counts[i] / sum(counts) for i in rare}
    least = _least_share_predicted(vitals, len(counts))
    return any(e >= _MIN_EXPECTED_PREDICTIONS and said[i] < least * e for i, e in expected.items())


def _is_seldom_likeliest(vitals: Vitals, classes: int) -> bool:
    """Whether a good model, too, would hardly ever predict what is rare."""
    is_binary = vitals.objective.task == "binary"
    if vitals.labels_samples:
        # A rare event, such as a click, is seldom likelier than not, and a model of it may be good
        # all the same, unless it is to decide.
        decides = vitals.wants_decisions or _knows_when_it_is(vitals)
        knows = _knows(vitals) > Gain.HARDLY_ANY and not decides
        return is_binary and (knows or (vitals.wants_order and vitals.has_learned))
    # Rare words are never the likeliest, not even in a good language model. Some rare pixels of
    # a mask are.
    asked = classes <= _VERY_FEW_CLASSES and vitals.wants_decisions
    good = vitals.gain > (Gain.GOOD if asked else _MODEST_GAIN)
    return not is_binary and (good or classes > _FEW_CLASSES)


def _knows_when_it_is(vitals: Vitals) -> bool:
    """Whether so much is known of a rare event in the end that it is likelier than not at times."""
    return _is_late(vitals) and vitals.gain > _MODEST_GAIN


def _is_late(vitals: Vitals) -> bool:
    return vitals.step > _LATE_SHARE_OF_STEPS * vitals.planned_steps


def _least_share_predicted(vitals: Vitals, classes: int) -> float:
    """Return the share of the expected predictions below which a class is hardly predicted."""
    if not vitals.labels_samples:
        return _MAX_SHARE_PREDICTED  # Of a heat map's few peaks, fewer are likelier than not.
    if classes <= _VERY_FEW_CLASSES and vitals.wants_decisions:
        # With one error in ten, half of the rare class is missed; it is learned last.
        misses = _is_late(vitals) and vitals.gain < _MAX_GAIN_WITH_RARE_MISSED
        return _MAX_SHARE_PREDICTED_LATE if misses else _MAX_SHARE_PREDICTED_IF_ASKED
    known = vitals.objective.task == "binary" and _knows_when_it_is(vitals)
    return _MAX_SHARE_PREDICTED_IF_ASKED if known else _MAX_SHARE_PREDICTED


def _is_of_another_mix(vitals: Vitals) -> bool:
    """Whether validation has more of the classes that are rare in training, and misses them.

    Judged by accuracies, or by validation losses far above that of the best constant in training.
    """
    if not vitals.had_a_long_chance or not vitals.labels_samples or vitals.evaluates_late:
        return False
    scores = vitals.validation_scores[-RECENT_CHECKS:]
    if vitals.scores_are_accuracies and len(scores) == RECENT_CHECKS:
        return max(scores) < vitals.confirmed_training_accuracy - _MIN_GAP_OF_ACCURACIES
    checks, usual = vitals.validation_losses[-RECENT_CHECKS:], vitals.objective.usual_loss
    if len(checks) < RECENT_CHECKS or vitals.has_other_terms or not vitals.gain > _MODEST_GAIN:
        return False
    return min(checks) > max(_MIN_RATIO_TO_CONSTANT_LOSS * vitals.objective.constant_loss, usual)


def _knows(vitals: Vitals) -> float:
    """Return the recent gain or that of the last half: with rare labels, few batches are noise."""
    half = vitals.data_losses[len(vitals.data_losses) // 2 :]
    if not (half and vitals.objective.constant_loss > 0):
        return vitals.gain
    return max(vitals.gain, 1 - statistics.fmean(half) / vitals.objective.constant_loss)


def examine(vitals: Vitals) -> Finding | None:
    """Find rare classes, or rare labels of multi-label samples, that are hardly predicted."""
    return _of_classes(vitals) or _of_labels(vitals)


def _of_labels(vitals: Vitals) -> Finding | None:
    """Find multi-label targets that are rarely 1 and hardly ever predicted to be."""
    objective = vitals.objective
    if objective.classes < 2 or not objective.positives < objective.classes / _MIN_RATIO_TO_BE_RARE:
        return None
    seldom = objective.predicted_positives < _MAX_SHARE_PREDICTED_IF_ASKED * objective.positives
    if not (seldom and vitals.wants_decisions and vitals.had_a_long_chance):
        return None
    if vitals.is_falling and vitals.step < vitals.planned_steps / 2:
        return None
    evidence = (
        f"On average {objective.positives:.2g} of {objective.classes} labels are 1, but "
        f"{objective.predicted_positives:.1g} are predicted to be: predicting 0 for all is right "
        "most of the time."
    )
    remedies = (
        Remedy(
            "Weight the positive labels in the loss.", "BCEWithLogitsLoss(pos_weight=(1 - p) / p)"
        ),
        Remedy("Choose a decision threshold for each label by F1 on the validation data."),
    )
    figures = {
        "positives": objective.positives, "predicted_positives": objective.predicted_positives
    }  # fmt: skip
    # Where something was learned, no layer keeps the network from the rest.
    is_root = vitals.gain > Gain.HARDLY_ANY
    return Finding("warning", evidence, figures, remedies, reports=3, is_root=is_root)


def _of_classes(vitals: Vitals) -> Finding | None:
    counts, said = list(vitals.objective.target_counts), list(vitals.objective.predicted_counts)
    present = [count for count in counts if count > 0]
    if sum(present) < 200 or max(present) < _MIN_RATIO_TO_BE_RARE * min(present):
        return None
    total, predicted = sum(counts), sum(said)
    rare = [i for i, n in enumerate(counts) if 0 < n * _MIN_RATIO_TO_BE_RARE <= max(present)]
    share = sum(counts[i] for i in rare) / total
    said_share = (
        sum(said[i] for i in rare) / predicted if predicted and len(said) == len(counts) else share
    )
    hurts = _has_collapsed(vitals, rare) or _is_of_another_mix(vitals)
    severity: Severity = "warning" if hurts else "info"
    if severity == "info" and len(counts) > _FEW_CLASSES and not vitals.labels_samples:
        return None  # Words differ in frequency by nature.
    are_rare = "the rare class is" if len(rare) == 1 else f"{len(rare)} rare classes are"
    evidence = (
        f"The largest class has {max(present) / min(present):.0f} times as many samples as the "
        f"smallest; {are_rare} {share:.1%} of the data and {said_share:.1%} of the "
        "predictions."
    )
    by_weight = "class_weights=data.class_weights"
    if vitals.objective.task == "binary":
        by_weight = "BCEWithLogitsLoss(pos_weight=(1 - p) / p)"
    by_sample = _BY_SAMPLE if vitals.labels_samples else ()  # Pixels are not drawn one by one.
    remedies = (Remedy("Weight the classes in the loss.", by_weight), *by_sample)
    figures = {"ratio": max(present) / min(present), "share": share, "predicted_share": said_share}
    return Finding(severity, evidence, figures, remedies)
