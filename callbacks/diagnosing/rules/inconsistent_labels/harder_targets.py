"""Training targets that are lastingly harder to predict than those of validation.

Some are wrong, or an augmentation turns the images but not their masks.
"""

from ...symptom import Finding
from ...vital_signs.levels import Gain
from ...vital_signs.vitals import Vitals
from .suspicion import suspect_labels

_MIN_GAP_WHEN_HARDER = 0.1  # Of training to validation, each relative to its constant baseline.
_CHECKS_TO_COMPARE = 10
_MIN_CHECKS_ABOVE = 9  # Of those to compare.

_MIN_GAP_OF_POSITIONS = 0.2  # The same for masks.
_CHECKS_OF_POSITIONS = 4
_DIMENSIONS_OF_MASKS = 3
_MAX_FALL_SHARE_APART = 0.1


def find_harder_targets(vitals: Vitals) -> Finding | None:
    """Find a regression that lastingly predicts training targets worse than validation targets.

    For squared errors only: another loss may have been chosen because of known outliers.
    """
    if vitals.objective.kind != "squared" or not vitals.labels_samples or vitals.is_falling:
        return None
    gaps = _gaps(vitals, _CHECKS_TO_COMPARE)
    constant, reached = vitals.whole_constant, vitals.validation_constant
    above = sum(gap > _MIN_GAP_WHEN_HARDER for gap in gaps)
    if above < _MIN_CHECKS_ABOVE or not vitals.training_epoch_losses[-1] < constant:
        return None  # Where nothing is predicted, nothing is harder to predict.
    check, loss = vitals.checked_losses[-1]
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
    objective = vitals.objective
    if vitals.labels_samples or objective.task not in ("binary", "classification"):
        return None
    if len(objective.target_shape) < _DIMENSIONS_OF_MASKS:
        return None  # Words may be left out or replaced in training alone.
    gaps = _gaps(vitals, _CHECKS_OF_POSITIONS)
    apart = bool(gaps) and min(gaps) > _MIN_GAP_OF_POSITIONS
    if not apart or not vitals.gain < Gain.LITTLE:
        return None
    before, constant = vitals.training_epoch_losses[-_CHECKS_OF_POSITIONS], vitals.whole_constant
    check, loss = vitals.checked_losses[-1]
    if not loss > before - _MAX_FALL_SHARE_APART * constant:
        return None
    evidence = (
        f"The training loss is {loss:.4g} and the validation loss {check:.4g}, where the best "
        f"constant prediction has {constant:.4g}: inputs predict the labels of their positions in "
        "validation, and hardly in training."
    )
    advice = "Move the targets as the augmentation moves the inputs: masks turn with their images."
    # Several checks agree. Steps that are too large would harm validation, too.
    return suspect_labels(vitals, evidence, advice, reports=1, severity="warning", is_root=True)


def _gaps(vitals: Vitals, number: int) -> list[float]:
    """Return by how much training was worse than validation at that many last checks.

    Each relative to its constant baseline, beyond what dropout makes harder, which is about its
    rate. Empty if the losses cannot be compared, or before half of the training.
    """
    recent, constant = vitals.checked_losses[-number:], vitals.whole_constant
    if vitals.evaluates_late or vitals.has_added_terms or not vitals.validates_the_same_loss:
        return []
    if not constant > 0 or not vitals.is_past_half or len(recent) < number:
        return []
    reached, usual = vitals.validation_constant, sum(vitals.dropouts)
    return [loss / constant - check / reached - usual for check, loss in recent]
