"""Training targets that are lastingly harder to predict than those of validation.

Some are wrong, or an augmentation turns the images but not their masks.
"""

from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .suspicion import suspect_labels

_MIN_GAP_WHEN_HARDER = 0.1  # Of training to validation, each relative to its constant baseline.
_CHECKS_TO_COMPARE = 10
_MIN_CHECKS_ABOVE = 9  # Of those to compare.

_MIN_GAP_OF_POSITIONS = 0.2  # The same for masks.
_CHECKS_OF_POSITIONS = 4
_DIMENSIONS_OF_MASKS = 3
_MAX_FALL_SHARE_APART = 0.1
_MIN_GAIN_MEMORIZED = 0.3


def find_harder_targets(vitals: Vitals) -> Finding | None:
    """Find a regression that lastingly predicts training targets worse than validation targets.

    For squared errors only: another loss may have been chosen because of known outliers.
    """
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    if vitals.objective.kind != "squared" or not vitals.labels_samples:
        return None
    if len(training) != len(checks) or vitals.evaluates_late or vitals.has_added_terms:
        return None
    if not vitals.validates_the_same_loss or not vitals.objective.constant_loss > 0:
        return None
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    recent = list(zip(checks, training, strict=True))[-_CHECKS_TO_COMPARE:]
    if not late or len(recent) < _CHECKS_TO_COMPARE or vitals.is_falling:
        return None
    constant, reached = vitals.whole_constant, vitals.validation_constant
    # Dropout also makes training harder, by about its rate.
    usual = _MIN_GAP_WHEN_HARDER + sum(vitals.dropouts)
    above = sum(loss / constant - check / reached > usual for check, loss in recent)
    check, loss = recent[-1]
    if above < _MIN_CHECKS_ABOVE or not loss < constant:
        return None  # Where nothing is predicted, nothing is harder to predict.
    constants = f"the best constant prediction has {constant:.4g}"
    if reached != constant:
        constants = f"the best constant predictions have {constant:.4g} and {reached:.4g}"
    evidence = (
        f"The training loss, {loss:.4g}, was far above the validation loss, {check:.4g}, at "
        f"{above} of the last {_CHECKS_TO_COMPARE} checks, where {constants}: the training "
        "targets are harder to predict than those of validation."
    )
    advice = "Inspect the training samples with the highest losses: wrong labels are among them."
    return suspect_labels(vitals, evidence, advice, reports=3, severity="warning")


def find_moved_masks(vitals: Vitals) -> Finding | None:
    """Find labels of an image's positions, as in masks, that it predicts in validation alone.

    That is how an augmentation shows which turns the images but not their masks.
    """
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    objective = vitals.objective
    if vitals.labels_samples or objective.task not in ("binary", "classification"):
        return None
    if len(objective.target_shape) < _DIMENSIONS_OF_MASKS:
        return None  # Words may be left out or replaced in training alone.
    if len(training) != len(checks) or vitals.evaluates_late or vitals.has_added_terms:
        return None
    if not vitals.validates_the_same_loss or not objective.constant_loss > 0:
        return None
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    recent = list(zip(checks, training, strict=True))[-_CHECKS_OF_POSITIONS:]
    if not late or len(recent) < _CHECKS_OF_POSITIONS:
        return None
    constant, reached = vitals.whole_constant, vitals.validation_constant
    usual = _MIN_GAP_OF_POSITIONS + sum(vitals.dropouts)
    apart = all(loss / constant - check / reached > usual for check, loss in recent)
    stands = training[-1] > training[-_CHECKS_OF_POSITIONS] - _MAX_FALL_SHARE_APART * constant
    if not apart or not stands or not vitals.gain < _MIN_GAIN_MEMORIZED:
        return None
    check, loss = recent[-1]
    evidence = (
        f"The training loss is {loss:.4g} and the validation loss {check:.4g}, where the best "
        f"constant prediction has {constant:.4g}: inputs predict the labels of their positions in "
        "validation, and hardly in training."
    )
    advice = "Move the targets as the augmentation moves the inputs: masks turn with their images."
    # Several checks agree. Steps that are too large would harm validation, too.
    return suspect_labels(vitals, evidence, advice, reports=1, severity="warning", is_root=True)
