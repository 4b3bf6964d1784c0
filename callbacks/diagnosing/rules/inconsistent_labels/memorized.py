"""Training data that is memorised, with validation at chance.

A network memorises what it cannot explain: its training loss falls, while validation is never
better than the best constant prediction.
"""

import statistics

from ...symptom import Finding
from ...vital_signs.levels import RECENT_CHECKS, Gain, UpdateRatio
from ...vital_signs.vitals import Vitals
from .suspicion import suspect_labels

_MIN_GAP_OF_STALE_MOMENTS = 0.5

# Relative to the constant baseline.
_MAX_RATIO_BELOW_CONSTANT = 0.99
_MAX_RATIO_CLEARLY_BELOW = 0.98
_MAX_RATIO_AT_CHANCE = 0.95
_MIN_GAP_MEMORIZED = 0.02  # Between validation and training, each relative to its own.

_MIN_CHECKS_AT_CHANCE = 5
_MIN_ACCURACY_OVER_CHANCE = 0.15
_CLEAR_GAP_OF_ACCURACIES = 0.05


def find_memorized(vitals: Vitals) -> Finding | None:
    """Find a training loss that falls, and a validation loss that stays at the baseline."""
    constant, checks = vitals.whole_constant, vitals.validation_losses
    training, reached = vitals.training_epoch_losses, vitals.validation_constant
    if not constant > 0 or len(checks) < RECENT_CHECKS:
        return None
    if vitals.has_added_terms or vitals.evaluates_late or not vitals.validates_the_same_loss:
        return None
    # A rare class of samples may differ in validation; one of pixels is as in training.
    if vitals.is_imbalanced and (vitals.labels_samples or vitals.gain <= Gain.LITTLE):
        return None
    best, latest = vitals.best_check, statistics.median(checks[-RECENT_CHECKS:])
    by_chance = validation_at_chance(vitals)
    most = _MAX_RATIO_AT_CHANCE if by_chance else _MAX_RATIO_CLEARLY_BELOW
    if not best > most * reached or classifies_better(vitals):
        return None
    # The loss begins to fall on samples seen before, and not at all on others.
    begins = (
        len(checks) > RECENT_CHECKS
        and vitals.is_past_half  # Some memorise before they generalise.
        and max(vitals.update_ratios, default=0.0) > UpdateRatio.SMALL
        and not vitals.validation_falls
        and training[-1] < min(training[1], _MAX_RATIO_BELOW_CONSTANT * constant)
        and latest / reached - training[-1] / constant > _MIN_GAP_MEMORIZED
    )
    # What was learned since the last validation may show in the next.
    fell = vitals.gain > Gain.LITTLE and training[-1] < (1 - Gain.LITTLE) * constant
    if not (fell or begins):
        return None
    evidence = (
        f"The training loss fell to {training[-1]:.4g}, but the validation loss was "
        f"never below {best:.4g} for long, and the best constant prediction reaches "
        f"{reached:.4g}: nothing generalises."
    )
    if by_chance:
        evidence += f" {by_chance}."
    return suspect_labels(vitals, evidence, reports=2)


def find_accuracy_at_chance(vitals: Vitals) -> Finding | None:
    """Find validation accuracy at chance level, where no validation loss is known."""
    # BatchNorm that differs in evaluation may be why predictions are at chance level.
    stale = max(vitals.statistics_gap.values(), default=0.0) > _MIN_GAP_OF_STALE_MOMENTS
    if vitals.validation_losses or stale or not (by_chance := validation_at_chance(vitals)):
        return None
    return suspect_labels(vitals, f"{by_chance}: nothing generalises.", reports=2)


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
    scores, counts = vitals.validation_scores[-RECENT_CHECKS:], vitals.objective.target_counts
    if len(scores) < RECENT_CHECKS or not sum(counts) or vitals.objective.task == "regression":
        return False
    return min(scores) > max(counts) / sum(counts) + _CLEAR_GAP_OF_ACCURACIES
