"""A validation loss that rises for good while the training loss falls.

Prechelt (1998): GL is by how many percent the validation loss is over its lowest. A diagnosis needs
a lasting gap, at three checks in a row, with a training loss far below: of 10% that is also a tenth
of what there is to know, the loss of a constant; a large share of next to nothing is next to
nothing. Where a constant's loss is not known, of 20%. A validation loss that does not rise is as
bad where it has stopped a quarter of what there is to know above a training loss of next to
nothing. Where validation is told rightly nearly as often as what was learned by heart, the loss is
that of being too sure of a few, and only worth knowing.
"""

import json
import math
import statistics

from ...diagnosis import Severity
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

_LOST, _OF_ALL, _CHECKS = 0.1, 0.1, 3
_LOST_OF_UNKNOWN, _EARLY_CHECKS = 0.2, 10
_FELL, _PART = 0.9, 0.2
_GAP, _SMALL_GAP, _NOTHING, _STILL_FALLS = 0.25, 0.15, 0.1, 0.05
_ALL, _MOST, _APART, _HAIR, _CLOSE = 0.99, 0.9, 0.25, 0.02, 0.1
_REMEDIES = (
    Remedy("Augment the training data.", 'ImageDataModule(augment="standard")'),
    Remedy("Use dropout.", "dropout=0.3"),
    Remedy("Use weight decay, or a penalty on the weights.", 'optimizer="adamw"'),
    Remedy("Take a smaller network, or more data."),
)


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a validation that left its best for good, or that training has left behind."""
    if vitals.learns_by_heart:
        return []  # That is what is wanted.
    checks = max(len(vitals.validation_losses), len(vitals.validation_scores))
    if vitals.evaluates_late and checks < _EARLY_CHECKS:
        return []
    return _by_losses(vitals) or _by_scores(vitals)


def _by_losses(vitals: Vitals) -> list[Symptom]:
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    if len(checks) < _CHECKS + 1 or len(training) != len(checks) or not min(checks) > 0:
        return []
    return _risen(vitals, checks, training) or _left_behind(vitals, checks, training)


def _risen(vitals: Vitals, checks: list[float], training: list[float]) -> list[Symptom]:
    place, best = checks.index(min(checks)), vitals.best_check
    # Of a loss that goes on rising, where it was a while ago is not where it is.
    latest = statistics.median(checks[-max(_CHECKS, int(_PART * len(checks))) :])
    recent = min(latest, *checks[-_CHECKS:])
    lost = recent / best - 1
    if vitals.objective.constant_loss > 0:
        of_all = (recent - best) / vitals.whole_scale
        enough = lost > _LOST and of_all > _OF_ALL
    else:
        enough = lost > _LOST_OF_UNKNOWN
    apart = training[-1] < 0.7 * checks[-1] and training[-1] < _FELL * training[place]
    if not (enough and apart and len(checks) - 1 - place >= _CHECKS):
        return []
    evidence = (
        f"The validation loss has been at least {lost:.0%} above its best, {best:.4g}, for "
        f"{_CHECKS} checks, while the training loss fell from {training[place]:.4g} to "
        f"{training[-1]:.4g}."
    )
    figures = {"generalization_loss": 100 * lost, "best": best, "training_loss": training[-1]}
    name = json.dumps(vitals.validation_name or "val_loss", ensure_ascii=False)
    stop = Remedy("Stop early and take the best weights.", f"EarlyStopping({name}, patience=5)")
    remedies, severity = (stop, *_REMEDIES), _severity(vitals)
    return [Symptom(Problem.OVERFITTING, severity, evidence, figures, remedies, reports=1)]


def _severity(vitals: Vitals) -> Severity:
    """Of a loss alone that rises, for being too sure of a few, it is only worth knowing."""
    scores = vitals.validation_scores[-_CHECKS:]
    known = vitals.scores_are_accuracies and len(scores) == _CHECKS and not vitals.is_imbalanced
    told = vitals.training_accuracy if math.isfinite(vitals.training_accuracy) else 1.0
    return "info" if known and min(scores) > told - _CLOSE else "warning"


def _left_behind(vitals: Vitals, checks: list[float], training: list[float]) -> list[Symptom]:
    """All of the training data known by heart, and of the rest a good part not known at all."""
    if not (vitals.objective.constant_loss > 0 and vitals.validates_the_same_loss):
        return []
    recent = list(zip(checks[-_CHECKS:], training[-_CHECKS:], strict=True))
    gap = min(check - loss for check, loss in recent)
    by_heart = all(loss < _NOTHING * check for check, loss in recent)
    by_heart |= vitals.training_accuracy > _ALL  # Smoothed labels leave a loss all the same.
    stands = min(checks[-_CHECKS:]) > (1 - _STILL_FALLS) * min(checks[:-_CHECKS])
    enough = _SMALL_GAP if vitals.scores_are_accuracies else _GAP
    if not (gap > enough * vitals.whole_scale and by_heart and stands):
        return []
    evidence = (
        f"The training loss has come down to {training[-1]:.4g}, and that of validation stands at "
        f"{checks[-1]:.4g}, where a constant has {vitals.whole_scale:.4g}."
    )
    figures = {"gap": gap, "validation_loss": checks[-1], "training_loss": training[-1]}
    severity = _severity(vitals)
    return [Symptom(Problem.OVERFITTING, severity, evidence, figures, _REMEDIES, reports=2)]


def _by_scores(vitals: Vitals) -> list[Symptom]:
    """Nearly all of the training data told rightly, and far less of the rest, for good."""
    scores = vitals.validation_scores
    if not vitals.scores_are_accuracies or len(scores) <= _CHECKS or vitals.is_imbalanced:
        return []
    best, before = max(scores[-_CHECKS:]), max(scores[:-_CHECKS])
    told = vitals.told_rightly
    if not told > max(_MOST, best + _APART) or best > before + _HAIR:
        return []
    evidence = (
        f"Of the training data {told:.0%} is told rightly, and of validation no more than "
        f"{best:.0%}."
    )
    figures = {"training_accuracy": told, "validation_accuracy": best}
    return [Symptom(Problem.OVERFITTING, "warning", evidence, figures, _REMEDIES, reports=2)]
