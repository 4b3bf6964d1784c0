"""A good part of the training labels is wrong.

Then validation is classified correctly more often than the training data, and the errors on the
latter are spread evenly over the classes: the loss is the entropy of predictions that are uniform
over the wrong classes. (Samples that augmentation makes harder are confused with few other
classes.)
"""

import math
import statistics
from collections.abc import Sequence

from ....diagnosis import Severity
from ...symptom import Finding
from ...vital_signs.levels import RECENT_CHECKS
from ...vital_signs.vitals import Vitals
from .suspicion import suspect_labels

_HIGH_DROPOUT = 0.5
_MIN_LOOKS = 10
_MIN_RATIO_OF_A_SUM = 2.0

_CLEAR_GAP_OF_ACCURACIES = 0.05
_MIN_ACCURACY_FORGOTTEN = 0.03
_MAX_ACCURACY_BELOW_BEST = 0.02
_MAX_SPREAD_SHARE_IF_STEADY = 0.3
_MIN_SHARE_OF_WRONG_LABELS = 0.2
_LARGE_SHARE_OF_WRONG_LABELS = 0.4
_MIN_RATIO_TO_ENTROPY = 0.92  # Of predictions uniform over the wrong classes.


def find_wrong_share(vitals: Vitals) -> Finding | None:
    """Find a share of wrong training labels, estimated from the validation accuracy."""
    objective = vitals.objective
    classes = objective.classes if objective.task == "classification" else 2
    one_label = objective.task == "classification" or objective.classes == 1
    if objective.task not in ("classification", "binary") or not one_label:
        return None
    if not vitals.labels_samples or vitals.is_imbalanced or vitals.dropout >= _HIGH_DROPOUT:
        return None
    if vitals.is_poor or _is_a_part(vitals):
        return None  # Where hardly anything is learned, all classes are equally likely.
    if not vitals.is_past_half:
        return None
    recent = slice(-max(_MIN_LOOKS, len(vitals.accuracies) // 5), None)
    now = _of_moment(vitals, classes, recent, None)
    return now or _of_moment(vitals, classes, *_at_its_best(vitals))


def _is_a_part(vitals: Vitals) -> bool:
    """Whether the observed loss is only a part of the total, as one of several time steps."""
    is_more = vitals.recent_loss > _MIN_RATIO_OF_A_SUM * vitals.recent_data_loss
    return is_more and not vitals.has_data_loss_alone


def _at_its_best(vitals: Vitals) -> tuple[slice, Sequence[float]]:
    """Return which training observations were made as validation first peaked, and its scores.

    Wrong labels are memorised after correct ones (Arpit et al., 2017): from then on training
    accuracy rises, and validation accuracy stalls or falls. Observations and validation checks are
    evenly spread over the steps.
    """
    scores, none = vitals.validation_scores, (slice(0), ())
    if not (vitals.scores_are_accuracies and all(map(math.isfinite, scores))):
        return none
    if len(scores) < 2 * RECENT_CHECKS:
        return none
    best = max(scores)
    place = next(i for i, score in enumerate(scores) if score > best - _MAX_ACCURACY_BELOW_BEST)
    around = scores[max(0, place - 1) : place + 2]
    looks, learned = len(vitals.accuracies), vitals.accuracies
    middle, half = round((place + 1) / len(scores) * looks), max(_MIN_LOOKS, looks // 10) // 2
    then = slice(max(0, middle - half), middle + half)
    forgets = min(around) - statistics.median(scores[-RECENT_CHECKS:]) > _MIN_ACCURACY_FORGOTTEN
    if not forgets and learned[then]:
        now = statistics.fmean(learned[-2 * half :])
        forgets = now - statistics.fmean(learned[then]) > _CLEAR_GAP_OF_ACCURACIES
    return (then, around) if forgets and place <= len(scores) / 2 else none


def _of_moment(
    vitals: Vitals, classes: int, looks: slice, known: Sequence[float] | None
) -> Finding | None:
    learned, losses = vitals.accuracies[looks], vitals.data_losses[looks]
    share = statistics.fmean(learned) if learned else 0.0
    if len(learned) < _MIN_LOOKS or not losses or not 0 < share < 1:
        return None
    if statistics.fmean(losses) < _MIN_RATIO_TO_ENTROPY * _entropy(share, classes):
        return None
    scores = _right_of_validation(vitals, share, classes) if known is None else known
    if len(scores) < RECENT_CHECKS or not share < min(scores) <= 1:
        return None
    right = min(scores)
    wrong = 1 - share / right
    # While accuracy still improves, that of training always lags behind.
    if wrong < _MIN_SHARE_OF_WRONG_LABELS or (
        max(scores) - right > _MAX_SPREAD_SHARE_IF_STEADY * (right - share)
    ):
        return None
    since = "" if known is None else " (at its best; since then labels have been memorised)"
    evidence = (
        f"About {right:.0%} of the validation data is classified correctly{since}, but only "
        f"{share:.0%} of the training data, with all other classes equally likely: about "
        f"{wrong:.0%} of the training labels are wrong."
    )
    advice = "Inspect the training samples with the highest losses: wrong labels are among them."
    severity: Severity = "warning" if wrong > _LARGE_SHARE_OF_WRONG_LABELS else "info"
    return suspect_labels(vitals, evidence, advice, reports=3, severity=severity)


def _right_of_validation(vitals: Vitals, share: float, classes: int) -> Sequence[float]:
    """Return the last validation accuracies, or estimates of them from the losses.

    The estimates assume that the predicted class has the training accuracy as its probability.
    """
    if vitals.scores_are_accuracies:
        return vitals.validation_scores[-RECENT_CHECKS:]
    if not vitals.validates_the_same_loss or vitals.has_other_terms:
        return []
    right, wrong = -math.log(share), -math.log((1 - share) / max(1, classes - 1))
    if not wrong > right:
        return []
    return [(wrong - loss) / (wrong - right) for loss in vitals.validation_losses[-RECENT_CHECKS:]]


def _entropy(right: float, classes: int) -> float:
    """Return the entropy of one class with that probability, and all others equally likely."""
    wrong = 1 - right
    return -right * math.log(right) - wrong * math.log(wrong / max(1, classes - 1))
