"""A validation loss that rises for good while the training loss falls.

Prechelt (1998): the generalisation loss GL is the percentage by which the validation loss exceeds
its minimum. A diagnosis needs a GL of 10% at three validation checks in a row, with a training loss
far below. The rise must also be a tenth of the loss of the best constant prediction (the constant
baseline), as a large share of almost nothing is almost nothing. Where that baseline is unknown, the
GL must be 20%. A validation loss that does not rise is as bad where it plateaus a quarter of the
baseline above a training loss near 0. Where validation accuracy is close to training accuracy, the
loss is due to overconfidence on a few samples, and only worth knowing.
"""

import json
import math
import statistics
from dataclasses import replace

from ...diagnosis import Severity
from ...remedy import Remedy
from ..symptom import Finding
from ..vital_signs.levels import RECENT_CHECKS
from ..vital_signs.vitals import Vitals

_MIN_RISE_SHARE_OF_BEST = 0.1  # Of the best validation loss.
_MIN_RISE_SHARE_OF_CONSTANT = 0.1
_MIN_RISE_SHARE_IF_UNKNOWN = 0.2  # Where the constant baseline is unknown.
_MAX_RATIO_OF_FALLEN_LOSS = 0.9
_RECENT_SHARE_OF_CHECKS = 0.2
_MIN_CHECKS_IF_EVALUATED_LATE = 10
_MIN_GAP_SHARE = 0.25  # Of the constant baseline.
_MIN_GAP_SHARE_WITH_ACCURACIES = 0.15
_MAX_RATIO_MEMORIZED = 0.1
_MIN_ACCURACY_MEMORIZED = 0.99
_MIN_FALL_SHARE = 0.05
_MIN_ACCURACY_IN_TRAINING = 0.9
_MIN_GAP_OF_ACCURACIES = 0.25
_MAX_GAP_OF_CLOSE_ACCURACIES = 0.1
_MIN_RISE_OF_ACCURACY = 0.02
_AUGMENT = Remedy("Augment the training data.", 'ImageDataModule(augment="standard")')
_ADD_NOISE = Remedy("Add noise to training's rows.", 'TabularDataModule(augment={"noise": 0.1})')
_REMEDIES = (
    Remedy("Use dropout.", "dropout=0.3"),
    Remedy("Use weight decay, or a penalty on the weights.", 'optimizer="adamw"'),
    Remedy("Use a smaller network, or more data."),
)


def examine(vitals: Vitals) -> Finding | None:
    """Find validation that worsens for good, or that training has left far behind."""
    if vitals.overfits_on_purpose:
        return None  # Memorising is the aim.
    checks = max(len(vitals.validation_losses), len(vitals.validation_scores))
    if vitals.evaluates_late and checks < _MIN_CHECKS_IF_EVALUATED_LATE:
        return None
    return _by_losses(vitals) or _by_scores(vitals)


def _by_losses(vitals: Vitals) -> Finding | None:
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    if len(checks) <= RECENT_CHECKS or not min(checks) > 0:
        return None
    return _risen(vitals, checks, training) or _left_behind(vitals, checks, training)


def _risen(vitals: Vitals, checks: list[float], training: list[float]) -> Finding | None:
    place, best = checks.index(min(checks)), vitals.best_check
    # While the loss keeps rising, older checks do not show where it is now.
    latest = statistics.median(
        checks[-max(RECENT_CHECKS, int(_RECENT_SHARE_OF_CHECKS * len(checks))) :]
    )
    recent = min(latest, *checks[-RECENT_CHECKS:])
    lost = recent / best - 1
    if vitals.objective.constant_loss > 0:
        of_all = (recent - best) / vitals.whole_scale
        enough = lost > _MIN_RISE_SHARE_OF_BEST and of_all > _MIN_RISE_SHARE_OF_CONSTANT
    else:
        enough = lost > _MIN_RISE_SHARE_IF_UNKNOWN
    apart = (
        training[-1] < 0.7 * checks[-1]
        and training[-1] < _MAX_RATIO_OF_FALLEN_LOSS * training[place]
    )
    if not (enough and apart and len(checks) - 1 - place >= RECENT_CHECKS):
        return None
    above = f"{lost:.0%} above" if lost < 10 else f"{1 + lost:.3g} times"
    evidence = (
        f"The validation loss has been at least {above} its best, {best:.4g}, for "
        f"{RECENT_CHECKS} checks, while the training loss fell from {training[place]:.4g} to "
        f"{training[-1]:.4g}."
    )
    figures = {"generalization_loss": 100 * lost, "best": best, "training_loss": training[-1]}
    name = json.dumps(vitals.validation_name or "val_loss", ensure_ascii=False)
    stop = Remedy("Stop early and restore the best weights.", f"EarlyStopping({name}, patience=5)")
    remedies, severity = (stop, *_remedies(vitals)), _severity(vitals)
    return Finding(severity, evidence, figures, remedies, reports=1)


def _severity(vitals: Vitals) -> Severity:
    """Return ``"info"`` where only the loss rises, from overconfidence on a few samples."""
    scores = vitals.validation_scores[-RECENT_CHECKS:]
    known = (
        vitals.scores_are_accuracies and len(scores) == RECENT_CHECKS and not vitals.is_imbalanced
    )
    told = vitals.training_accuracy if math.isfinite(vitals.training_accuracy) else 1.0
    return "info" if known and min(scores) > told - _MAX_GAP_OF_CLOSE_ACCURACIES else "warning"


def _left_behind(vitals: Vitals, checks: list[float], training: list[float]) -> Finding | None:
    """Find training data that is memorised while much of validation is not learned at all."""
    if not (vitals.objective.constant_loss > 0 and vitals.validates_the_same_loss):
        return None
    recent = vitals.checked_losses[-RECENT_CHECKS:]
    gap = min(check - loss for check, loss in recent)
    memorized = all(loss < _MAX_RATIO_MEMORIZED * check for check, loss in recent)
    # With label smoothing, a loss remains even then.
    memorized |= vitals.training_accuracy > _MIN_ACCURACY_MEMORIZED
    stands = min(checks[-RECENT_CHECKS:]) > (1 - _MIN_FALL_SHARE) * min(checks[:-RECENT_CHECKS])
    enough = _MIN_GAP_SHARE_WITH_ACCURACIES if vitals.scores_are_accuracies else _MIN_GAP_SHARE
    if not (gap > enough * vitals.whole_scale and memorized and stands):
        return None
    evidence = (
        f"The training loss has fallen to {training[-1]:.4g}, while the validation loss has "
        f"stalled at {checks[-1]:.4g}; the best constant prediction has "
        f"{vitals.whole_constant:.4g}."
    )
    figures = {"gap": gap, "validation_loss": checks[-1], "training_loss": training[-1]}
    severity, remedies = _severity(vitals), _remedies(vitals)
    return Finding(severity, evidence, figures, remedies, reports=2)


def _by_scores(vitals: Vitals) -> Finding | None:
    """Find nearly all training data classified correctly, and for good far less of validation."""
    scores = vitals.validation_scores
    if not vitals.scores_are_accuracies or len(scores) <= RECENT_CHECKS or vitals.is_imbalanced:
        return None
    best, before = max(scores[-RECENT_CHECKS:]), max(scores[:-RECENT_CHECKS])
    told = vitals.confirmed_training_accuracy
    if (
        not told > max(_MIN_ACCURACY_IN_TRAINING, best + _MIN_GAP_OF_ACCURACIES)
        or best > before + _MIN_RISE_OF_ACCURACY
    ):
        return None
    evidence = (
        f"{told:.0%} of the training data is classified correctly, but no more than {best:.0%} of "
        "the validation data."
    )
    figures = {"training_accuracy": told, "validation_accuracy": best}
    remedies = _remedies(vitals)
    return Finding("warning", evidence, figures, remedies, reports=2)


def _remedies(vitals: Vitals) -> tuple[Remedy, ...]:
    """Return what helps: pictures are augmented first, rows of a table rather regularised."""
    if vitals.inputs.is_table:
        return (*_REMEDIES, _ADD_NOISE)
    # The code is for pictures; what a network has learned of words is no data.
    are_words = not vitals.inputs.is_data
    return (replace(_AUGMENT, code="") if are_words else _AUGMENT, *_REMEDIES)
