"""Labels that have nothing to do with the inputs.

A network memorises what it cannot explain: its training loss falls, while validation is never
better than the best constant prediction. Without the capacity to memorise, its loss stays at that
constant baseline with nothing wrong in the network: gradients flow and weights move as they should.

Where a good part of the training labels is wrong, validation is classified correctly more often
than the training data, and the errors on the latter are spread evenly over the classes: the loss is
the entropy of predictions that are uniform over the wrong classes. (Samples that augmentation makes
harder are confused with few other classes.)
"""

import math
import statistics
from collections.abc import Sequence

from ...diagnosis import Severity
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

_USUAL_UPDATE_RATIOS = (2e-4, 3e-2)  # Of a step's length to that of the weights.
_MIN_WAY_IN_WEIGHT_LENGTHS = 0.25
_STEPS_TO_LEAVE_A_CONSTANT = 500
_MAX_RATIO_OF_LOWERED_RATE = 0.3
_HIGH_DROPOUT = 0.5
_FEW_CLASSES = 20
_RECENT_CHECKS = 3
_MIN_LOOKS = 10

# Relative to the constant baseline.
_MAX_GAIN_AT_A_CONSTANT = 0.05
_MIN_GAIN_MEMORIZED = 0.3
_MAX_RATIO_BELOW_CONSTANT = 0.99
_MAX_RATIO_CLEARLY_BELOW = 0.98
_MAX_RATIO_AT_CHANCE = 0.95
_MIN_SHARE_ABOVE_CONSTANT = 0.05
_MIN_FALL_SHARE_IN_TRAINING = 5e-3
_MIN_RATIO_OF_FALLS = 0.7
_MIN_RATIO_OF_A_SUM = 2.0

# Between validation and training, each relative to its constant baseline.
_MIN_GAP_MEMORIZED = 0.02
_MIN_GAP_FALLING_APART = 0.01
_MIN_GAP_WHEN_HARDER = 0.1
_MIN_GAP_OF_POSITIONS = 0.2
_CHECKS_OF_POSITIONS = 4
_DIMENSIONS_OF_MASKS = 3
_MAX_FALL_SHARE_APART = 0.1
_CHECKS_TO_COMPARE = 10
_MIN_CHECKS_ABOVE = 9  # Of those to compare.
_MIN_CHECKS_AT_CHANCE = 5

_MIN_ACCURACY_OVER_CHANCE = 0.15
_CLEAR_GAP_OF_ACCURACIES = 0.05
_MIN_ACCURACY_FORGOTTEN = 0.03
_MAX_ACCURACY_BELOW_BEST = 0.02
_MAX_SPREAD_SHARE_IF_STEADY = 0.3
_MIN_GAP_OF_STALE_MOMENTS = 0.5
_MIN_SHARE_OF_WRONG_LABELS = 0.2
_LARGE_SHARE_OF_WRONG_LABELS = 0.4
_MIN_RATIO_TO_ENTROPY = 0.92  # Of predictions uniform over the wrong classes.


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a network that does not generalise at all, or that stays at the constant baseline."""
    if vitals.objective.ascends:
        return _symptom(
            vitals,
            "The loss is maximised: its sign is flipped on the way to the step.",
            "Return the loss itself, not its negative.",
            reports=1,
            is_root=True,
        )
    if vitals.objective.of_inputs:
        return []
    if vitals.overfits_on_purpose:
        return _constant(vitals)  # Nothing is meant to generalise.
    found = _memorized(vitals) or _accuracy_at_chance(vitals) or _constant(vitals)
    found = found or _random_labels(vitals) or _harder_than_validation(vitals)
    return found or _moved_apart(vitals)


def _symptom(
    vitals: Vitals,
    evidence: str,
    *advice: str,
    reports: int,
    is_root: bool = False,
    severity: Severity = "critical",
) -> list[Symptom]:
    remedies = (
        *map(Remedy, advice),
        Remedy("Inspect inputs and labels side by side: were they shuffled independently?"),
        Remedy("Check that training and validation data get the same preprocessing."),
        Remedy("Check whether the network can memorise 16 samples.", "overfit_batches=1"),
    )
    figures = {"constant_loss": vitals.objective.constant_loss, "gain": vitals.gain}
    problem = Problem.INCONSISTENT_LABELS
    return [
        Symptom(problem, severity, evidence, figures, remedies, reports=reports, is_root=is_root)
    ]


def _memorized(vitals: Vitals) -> list[Symptom]:
    constant, checks = vitals.whole_constant, vitals.validation_losses
    training, reached = vitals.training_epoch_losses, vitals.validation_constant
    if not constant > 0 or len(checks) < _RECENT_CHECKS or len(training) != len(checks):
        return []
    if vitals.has_other_terms or vitals.evaluates_late or not vitals.validates_the_same_loss:
        return []
    # A rare class of samples may differ in validation; one of pixels is as in training.
    few = vitals.is_imbalanced and (vitals.labels_samples or vitals.gain <= _MIN_GAIN_MEMORIZED)
    if few:
        return []
    best, latest = vitals.best_check, statistics.median(checks[-_RECENT_CHECKS:])
    by_chance = _validation_at_chance(vitals)
    most = _MAX_RATIO_AT_CHANCE if by_chance else _MAX_RATIO_CLEARLY_BELOW
    if not best > most * reached or _classifies_better(vitals):
        return []
    # The loss begins to fall on samples seen before, and not at all on others.
    steps = [u for u in vitals.total_updates if math.isfinite(u)]
    begins = (
        len(checks) > _RECENT_CHECKS
        and not vitals.step < vitals.planned_steps / 2  # Some memorise before they generalise.
        and max(steps, default=0.0) > _USUAL_UPDATE_RATIOS[0]
        and vitals.had_a_long_chance
        and not vitals.validation_falls
        and training[-1] < min(training[1], _MAX_RATIO_BELOW_CONSTANT * constant)
        and latest / reached - training[-1] / constant > _MIN_GAP_MEMORIZED
    )
    # What was learned since the last validation may show in the next.
    fell = vitals.gain > _MIN_GAIN_MEMORIZED and training[-1] < (1 - _MIN_GAIN_MEMORIZED) * constant
    if not (fell or begins):
        return []
    evidence = (
        f"The training loss fell to {vitals.recent_data_loss:.4g}, but the validation loss was "
        f"never below {best:.4g} for long, and the best constant prediction reaches "
        f"{reached:.4g}: nothing generalises."
    )
    if by_chance:
        evidence += f" {by_chance}."
    return _symptom(vitals, evidence, reports=2)


def _accuracy_at_chance(vitals: Vitals) -> list[Symptom]:
    """Find validation accuracy at chance level, where no validation loss is known."""
    # BatchNorm that differs in evaluation may be why predictions are at chance level.
    stale = max(vitals.statistics_gap.values(), default=0.0) > _MIN_GAP_OF_STALE_MOMENTS
    if vitals.validation_losses or stale or not (by_chance := _validation_at_chance(vitals)):
        return []
    return _symptom(vitals, f"{by_chance}: nothing generalises.", reports=2)


def _validation_at_chance(vitals: Vitals) -> str:
    """Describe validation at chance level while training data is learned; empty if not so."""
    scores, counts = vitals.validation_scores, vitals.objective.target_counts
    if not vitals.scores_are_accuracies or not vitals.labels_samples:
        return ""
    if len(scores) < _MIN_CHECKS_AT_CHANCE or not sum(counts) or vitals.is_imbalanced:
        return ""
    if not vitals.had_a_long_chance or vitals.step < vitals.planned_steps / 2:
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


def _diverges_from_validation(vitals: Vitals) -> str:
    """Describe a falling training loss with validation at the baseline; empty if not so."""
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    constant, reached = vitals.whole_constant, vitals.validation_constant
    if len(checks) <= _RECENT_CHECKS or len(training) != len(checks) or vitals.evaluates_late:
        return ""
    if vitals.is_imbalanced or not vitals.validates_the_same_loss or _classifies_better(vitals):
        return ""
    fell = min(checks[:-_RECENT_CHECKS]) - min(checks[-_RECENT_CHECKS:])
    fell_in_training = min(training[:-_RECENT_CHECKS]) - min(training[-_RECENT_CHECKS:])
    follows = fell > _MIN_RATIO_OF_FALLS * fell_in_training or vitals.validation_falls
    if (
        follows
        or fell_in_training < _MIN_FALL_SHARE_IN_TRAINING * constant
        or min(checks) < _MAX_RATIO_BELOW_CONSTANT * reached
    ):
        return ""
    if checks[-1] / reached - training[-1] / constant < _MIN_GAP_FALLING_APART:
        return ""
    return (
        f"The training loss begins to fall, to {training[-1]:.4g}, but the validation loss does "
        f"not follow: it is {checks[-1]:.4g}, and the best constant prediction reaches "
        f"{reached:.4g}."
    )


def _classifies_better(vitals: Vitals) -> bool:
    """Whether validation accuracy is clearly above that of predicting the largest class."""
    scores, counts = vitals.validation_scores[-_RECENT_CHECKS:], vitals.objective.target_counts
    if len(scores) < _RECENT_CHECKS or not sum(counts) or vitals.objective.task == "regression":
        return False
    return min(scores) > max(counts) / sum(counts) + _CLEAR_GAP_OF_ACCURACIES


def _constant(vitals: Vitals) -> list[Symptom]:
    constant = vitals.objective.constant_loss
    steps = [u for u in vitals.total_updates[-5:] if math.isfinite(u)]
    if not constant > 0 or not vitals.had_a_long_chance_at_full_rate or not steps:
        return []
    # Memorising lowers the training loss alone.
    apart = _diverges_from_validation(vitals)
    if vitals.falls_in_time and not apart:
        return []
    # Where validation has a score, it is known to decide no better than by chance.
    has_learned = vitals.has_learned and not (apart and vitals.validation_scores)
    if vitals.recurrent or vitals.ignores_inputs:
        return []  # What such a network forgets leaves no trace in its layers.
    if len(vitals.objective.target_counts) > _FEW_CLASSES and not vitals.labels_samples:
        return []  # Word frequencies are learned long before what words depend on.
    if vitals.learning_rate < _MAX_RATIO_OF_LOWERED_RATE * vitals.learning_rate_peak:
        # A schedule has lowered the rate, so that earlier steps count, too.
        steps = [u for u in vitals.total_updates if math.isfinite(u)]
    low, high = _USUAL_UPDATE_RATIOS
    moves = low < statistics.median(steps) < high
    if not (moves and abs(vitals.gain) < _MAX_GAIN_AT_A_CONSTANT and not has_learned):
        return []
    if not apart and not _had_every_chance(vitals):
        return []
    evidence = apart or (
        f"After {vitals.step} steps the loss is {vitals.recent_data_loss:.4g}, that of the best "
        f"constant prediction ({constant:.4g}), although gradients flow and the weights move as "
        "they should."
    )
    if apart or vitals.step >= min(_STEPS_TO_LEAVE_A_CONSTANT, vitals.planned_steps / 2):
        return _symptom(vitals, evidence, reports=4)
    early = "Give it time: some networks leave this plateau only after several hundred steps."
    return _symptom(vitals, evidence, early, reports=4, severity="warning")


def _had_every_chance(vitals: Vitals) -> bool:
    """Whether only the labels are left to blame: weights have moved, and no learning goes on."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    way = statistics.fmean(updates) * vitals.step
    learns = vitals.is_falling or _classifies_better(vitals)
    spared = vitals.dropout < _HIGH_DROPOUT and not (
        _is_shaken(vitals) or vitals.sigmoids_hardly_vary
    )
    return way > _MIN_WAY_IN_WEIGHT_LENGTHS and spared and not learns


def _is_shaken(vitals: Vitals) -> bool:
    """Whether steps that are too large keep validation above the constant baseline."""
    checks, constant = vitals.validation_losses[-_RECENT_CHECKS:], vitals.validation_constant
    return (
        constant > 0
        and vitals.validates_the_same_loss
        and not vitals.evaluates_late
        and statistics.median(checks) > (1 + _MIN_SHARE_ABOVE_CONSTANT) * constant
    )


def _random_labels(vitals: Vitals) -> list[Symptom]:
    """Find a share of wrong training labels, estimated from the validation accuracy."""
    objective = vitals.objective
    classes = objective.classes if objective.task == "classification" else 2
    one_label = objective.task == "classification" or objective.classes == 1
    if objective.task not in ("classification", "binary") or not one_label:
        return []
    if not vitals.labels_samples or vitals.is_imbalanced or vitals.dropout >= _HIGH_DROPOUT:
        return []
    if vitals.is_poor or _is_a_part(vitals):
        return []  # Where hardly anything is learned, all classes are equally likely.
    if not vitals.had_a_long_chance or vitals.step < vitals.planned_steps / 2:
        return []
    best, scores = _at_its_best(vitals)
    moments = ((slice(-max(_MIN_LOOKS, len(vitals.accuracies) // 5), None), None), (best, scores))
    return next(filter(None, (_of_moment(vitals, classes, *each) for each in moments)), [])


def _at_its_best(vitals: Vitals) -> tuple[slice, Sequence[float]]:
    """Return which training observations were made as validation first peaked, and its scores.

    Wrong labels are memorised after correct ones (Arpit et al., 2017): from then on training
    accuracy rises, and validation accuracy stalls or falls. Observations and validation checks are
    evenly spread over the steps.
    """
    scores, none = vitals.validation_scores, (slice(0), ())
    if not vitals.scores_are_accuracies or len(scores) < 2 * _RECENT_CHECKS:
        return none
    best = max(scores)
    place = next(i for i, score in enumerate(scores) if score > best - _MAX_ACCURACY_BELOW_BEST)
    around = scores[max(0, place - 1) : place + 2]
    looks, learned = len(vitals.accuracies), vitals.accuracies
    middle, half = round((place + 1) / len(scores) * looks), max(_MIN_LOOKS, looks // 10) // 2
    then = slice(max(0, middle - half), middle + half)
    forgets = min(around) - statistics.median(scores[-_RECENT_CHECKS:]) > _MIN_ACCURACY_FORGOTTEN
    if not forgets and learned[then]:
        now = statistics.fmean(learned[-2 * half :])
        forgets = now - statistics.fmean(learned[then]) > _CLEAR_GAP_OF_ACCURACIES
    return (then, around) if forgets and place <= len(scores) / 2 else none


def _of_moment(
    vitals: Vitals, classes: int, looks: slice, known: Sequence[float] | None
) -> list[Symptom]:
    learned, losses = vitals.accuracies[looks], vitals.data_losses[looks]
    share = statistics.fmean(learned) if learned else 0.0
    if len(learned) < _MIN_LOOKS or not losses or not 0 < share < 1:
        return []
    if statistics.fmean(losses) < _MIN_RATIO_TO_ENTROPY * _entropy(share, classes):
        return []
    scores = _right_of_validation(vitals, share, classes) if known is None else known
    if len(scores) < _RECENT_CHECKS or not share < min(scores) <= 1:
        return []
    right = min(scores)
    wrong = 1 - share / right
    # While accuracy still improves, that of training always lags behind.
    if wrong < _MIN_SHARE_OF_WRONG_LABELS or (
        max(scores) - right > _MAX_SPREAD_SHARE_IF_STEADY * (right - share)
    ):
        return []
    since = "" if known is None else " (at its best; since then labels have been memorised)"
    evidence = (
        f"About {right:.0%} of the validation data is classified correctly{since}, but only "
        f"{share:.0%} of the training data, with all other classes equally likely: about "
        f"{wrong:.0%} of the training labels are wrong."
    )
    advice = "Inspect the training samples with the highest losses: wrong labels are among them."
    severity: Severity = "warning" if wrong > _LARGE_SHARE_OF_WRONG_LABELS else "info"
    return _symptom(vitals, evidence, advice, reports=3, severity=severity)


def _harder_than_validation(vitals: Vitals) -> list[Symptom]:
    """Find a regression that lastingly predicts training targets worse than validation targets.

    For squared errors only: another loss may have been chosen because of known outliers.
    """
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    if vitals.objective.kind != "squared" or not vitals.labels_samples:
        return []
    if len(training) != len(checks) or vitals.evaluates_late or vitals.has_other_terms:
        return []
    if not vitals.validates_the_same_loss or not vitals.objective.constant_loss > 0:
        return []
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    recent = list(zip(checks, training, strict=True))[-_CHECKS_TO_COMPARE:]
    if not late or len(recent) < _CHECKS_TO_COMPARE or vitals.is_falling:
        return []
    constant, reached = vitals.whole_constant, vitals.validation_constant
    # Dropout also makes training harder, by about its rate.
    usual = _MIN_GAP_WHEN_HARDER + sum(vitals.dropouts)
    above = sum(loss / constant - check / reached > usual for check, loss in recent)
    check, loss = recent[-1]
    if above < _MIN_CHECKS_ABOVE or not loss < constant:
        return []  # Where nothing is predicted, nothing is harder to predict.
    constants = f"the best constant prediction has {constant:.4g}"
    if reached != constant:
        constants = f"the best constant predictions have {constant:.4g} and {reached:.4g}"
    evidence = (
        f"The training loss, {loss:.4g}, was far above the validation loss, {check:.4g}, at "
        f"{above} of the last {_CHECKS_TO_COMPARE} checks, where {constants}: the training "
        "targets are harder to predict than those of validation."
    )
    advice = "Inspect the training samples with the highest losses: wrong labels are among them."
    return _symptom(vitals, evidence, advice, reports=3, severity="warning")


def _moved_apart(vitals: Vitals) -> list[Symptom]:
    """Find labels of an image's positions, as in masks, that it predicts in validation alone.

    That is how an augmentation shows which turns the images but not their masks.
    """
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    objective = vitals.objective
    if vitals.labels_samples or objective.task not in ("binary", "classification"):
        return []
    if len(objective.target_shape) < _DIMENSIONS_OF_MASKS:
        return []  # Words may be left out or replaced in training alone.
    if len(training) != len(checks) or vitals.evaluates_late or vitals.has_other_terms:
        return []
    if not vitals.validates_the_same_loss or not objective.constant_loss > 0:
        return []
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    recent = list(zip(checks, training, strict=True))[-_CHECKS_OF_POSITIONS:]
    if not late or len(recent) < _CHECKS_OF_POSITIONS:
        return []
    constant, reached = vitals.whole_constant, vitals.validation_constant
    usual = _MIN_GAP_OF_POSITIONS + sum(vitals.dropouts)
    apart = all(loss / constant - check / reached > usual for check, loss in recent)
    stands = training[-1] > training[-_CHECKS_OF_POSITIONS] - _MAX_FALL_SHARE_APART * constant
    if not apart or not stands or not vitals.gain < _MIN_GAIN_MEMORIZED:
        return []
    check, loss = recent[-1]
    evidence = (
        f"The training loss is {loss:.4g} and the validation loss {check:.4g}, where the best "
        f"constant prediction has {constant:.4g}: inputs predict the labels of their positions in "
        "validation, and hardly in training."
    )
    advice = "Move the targets as the augmentation moves the inputs: masks turn with their images."
    # Several checks agree. Steps that are too large would harm validation, too.
    return _symptom(vitals, evidence, advice, reports=1, severity="warning", is_root=True)


def _is_a_part(vitals: Vitals) -> bool:
    """Whether the observed loss is only a part of the total, as one of several time steps."""
    return vitals.recent_loss > _MIN_RATIO_OF_A_SUM * vitals.recent_data_loss


def _right_of_validation(vitals: Vitals, share: float, classes: int) -> Sequence[float]:
    """Return the last validation accuracies, or estimates of them from the losses.

    The estimates assume that the predicted class has the training accuracy as its probability.
    """
    if vitals.scores_are_accuracies:
        return vitals.validation_scores[-_RECENT_CHECKS:]
    if not vitals.validates_the_same_loss or vitals.has_other_terms:
        return []
    right, wrong = -math.log(share), -math.log((1 - share) / max(1, classes - 1))
    if not wrong > right:
        return []
    return [(wrong - loss) / (wrong - right) for loss in vitals.validation_losses[-_RECENT_CHECKS:]]


def _entropy(right: float, classes: int) -> float:
    """Return the entropy of one class with that probability, and all others equally likely."""
    wrong = 1 - right
    return -right * math.log(right) - wrong * math.log(wrong / max(1, classes - 1))
