"""Validation accuracy beside that of predicting the largest class."""

from ...vital_signs.vitals import Vitals

_RECENT_CHECKS = 3
_MIN_CHECKS_AT_CHANCE = 5
_MIN_ACCURACY_OVER_CHANCE = 0.15
_CLEAR_GAP_OF_ACCURACIES = 0.05


def validation_at_chance(vitals: Vitals) -> str:
    """Describe validation at chance level while training data is learned; empty if not so."""
    scores, counts = vitals.validation_scores, vitals.objective.target_counts
    if not (vitals.is_past_half and vitals.scores_are_accuracies and vitals.labels_samples):
        return ""
    if len(scores) < _MIN_CHECKS_AT_CHANCE or not sum(counts) or vitals.is_imbalanced:
        return ""
    largest, recent = max(counts) / sum(counts), max(scores[len(scores) // 2 :])
    learned = vitals.confirmed_training_accuracy > largest + _MIN_ACCURACY_OVER_CHANCE
    if not learned or recent > largest + _CLEAR_GAP_OF_ACCURACIES:
        return ""
    return (
        f"{vitals.confirmed_training_accuracy:.0%} of the training data is classified correctly, "
        f"but never more than {recent:.0%} of the validation data, where the largest class is "
        f"{largest:.0%}"
    )


def classifies_better(vitals: Vitals) -> bool:
    """Whether validation accuracy is clearly above that of predicting the largest class."""
    scores, counts = vitals.validation_scores[-_RECENT_CHECKS:], vitals.objective.target_counts
    if len(scores) < _RECENT_CHECKS or not sum(counts) or vitals.objective.task == "regression":
        return False
    return min(scores) > max(counts) / sum(counts) + _CLEAR_GAP_OF_ACCURACIES
