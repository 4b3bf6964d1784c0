"""Labels that have nothing to do with the inputs.

A network learns by heart what it cannot explain: its training loss comes down, while validation is
never better than a constant. Where it has not the capacity to, the loss stays at that of a
constant, with nothing wrong in the network: gradients flow and weights move as they should.

Where a good part of them has, it is right more often of validation than of what it is trained on,
and what it gets wrong there is spread over the classes as chance spreads it: the loss is that of
one guess for each wrong class. (What is only made harder, by augmentation, is mistaken for few
others.)
"""

import math
import statistics
from collections.abc import Sequence

from ...diagnosis import Severity
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

_USUAL_UPDATE_RATIOS = (2e-4, 3e-2)  # Of the length of a step to that of the weights.
_MIN_WAY_IN_WEIGHT_LENGTHS = 0.25
_STEPS_TO_LEAVE_A_CONSTANT = 500
_MAX_RATIO_OF_LOWERED_RATE = 0.3
_HIGH_DROPOUT = 0.5
_FEW_CLASSES = 20
_RECENT_CHECKS = 3
_MIN_LOOKS = 10

# By the loss of a constant.
_MAX_GAIN_AT_A_CONSTANT = 0.05
_MIN_GAIN_BY_HEART = 0.3
_MAX_RATIO_BELOW_CONSTANT = 0.99
_MAX_RATIO_CLEARLY_BELOW = 0.98
_MAX_RATIO_WHERE_TOLD_BY_CHANCE = 0.95
_MIN_SHARE_ABOVE_CONSTANT = 0.05
_MIN_FALL_SHARE_IN_TRAINING = 5e-3
_MIN_RATIO_OF_FALLS = 0.7
_MIN_RATIO_OF_A_SUM = 2.0

# Between validation and training, each by its constant's loss.
_MIN_GAP_BY_HEART = 0.02
_MIN_GAP_FALLING_APART = 0.01
_MIN_GAP_WHEN_HARDER = 0.1
_CHECKS_TO_COMPARE = 10
_MIN_CHECKS_ABOVE = 9  # Of those to compare.

_MIN_ACCURACY_OVER_CHANCE = 0.15
_CLEAR_GAP_OF_ACCURACIES = 0.05
_MIN_ACCURACY_FORGOTTEN = 0.03
_MAX_ACCURACY_BELOW_BEST = 0.02
_MAX_SPREAD_SHARE_IF_STEADY = 0.3
_MIN_GAP_OF_STALE_MOMENTS = 0.5
_MIN_SHARE_OF_WRONG_LABELS = 0.2
_LARGE_SHARE_OF_WRONG_LABELS = 0.4
_MIN_RATIO_TO_ENTROPY = 0.92  # Of one guess for each wrong class.


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a training that carries over to nothing, or that learns no more than a constant."""
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
    if vitals.learns_by_heart:
        return _constant(vitals)  # Nothing of it is to carry over.
    found = _by_heart(vitals) or _decided_by_chance(vitals)
    return found or _constant(vitals) or _by_chance(vitals) or _worse_than_others(vitals)


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


def _by_heart(vitals: Vitals) -> list[Symptom]:
    constant, checks = vitals.whole_constant, vitals.validation_losses
    training, reached = vitals.training_epoch_losses, vitals.validation_constant
    if not constant > 0 or len(checks) < _RECENT_CHECKS or len(training) != len(checks):
        return []
    if vitals.has_other_terms or vitals.evaluates_late or not vitals.validates_the_same_loss:
        return []
    # A class of few samples may have others in validation; of few pixels it is as in training.
    few = vitals.is_imbalanced and (vitals.labels_samples or vitals.gain <= _MIN_GAIN_BY_HEART)
    if few:
        return []
    best, latest = vitals.best_check, statistics.median(checks[-_RECENT_CHECKS:])
    by_chance = _told_by_chance(vitals)
    most = _MAX_RATIO_WHERE_TOLD_BY_CHANCE if by_chance else _MAX_RATIO_CLEARLY_BELOW
    if not best > most * reached or _decides_better(vitals):
        return []
    # What is learned of samples seen before, and of others not a bit.
    steps = [u for u in vitals.total_updates if math.isfinite(u)]
    begins = (
        len(checks) > _RECENT_CHECKS
        and not vitals.step < vitals.planned_steps / 2  # Some learn by heart before they learn.
        and max(steps, default=0.0) > _USUAL_UPDATE_RATIOS[0]
        and vitals.had_a_long_chance
        and not vitals.validation_falls
        and training[-1] < min(training[1], _MAX_RATIO_BELOW_CONSTANT * constant)
        and latest / reached - training[-1] / constant > _MIN_GAP_BY_HEART
    )
    # What fell since the last validation may carry over to the next.
    fell = vitals.gain > _MIN_GAIN_BY_HEART and training[-1] < (1 - _MIN_GAIN_BY_HEART) * constant
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


def _decided_by_chance(vitals: Vitals) -> list[Symptom]:
    """Where validation has an accuracy alone."""
    # BatchNorm may be another one in evaluation, and decide by chance for that.
    stale = max(vitals.statistics_gap.values(), default=0.0) > _MIN_GAP_OF_STALE_MOMENTS
    if vitals.validation_losses or stale or not (by_chance := _told_by_chance(vitals)):
        return []
    return _symptom(vitals, f"{by_chance}: nothing generalises.", reports=2)


def _told_by_chance(vitals: Vitals) -> str:
    """What there is to say where training is told, and validation but as by its largest class."""
    scores, counts = vitals.validation_scores, vitals.objective.target_counts
    if not vitals.scores_are_accuracies or not vitals.labels_samples:
        return ""
    if len(scores) < 2 * _RECENT_CHECKS or not sum(counts) or vitals.is_imbalanced:
        return ""
    if not vitals.had_a_long_chance or vitals.step < vitals.planned_steps / 2:
        return ""
    largest, recent = max(counts) / sum(counts), max(scores[len(scores) // 2 :])
    learned = vitals.told_rightly > largest + _MIN_ACCURACY_OVER_CHANCE
    if not learned or recent > largest + _CLEAR_GAP_OF_ACCURACIES:
        return ""
    return (
        f"{vitals.told_rightly:.0%} of the training data is classified correctly, but never more "
        f"than {recent:.0%} of the validation data, where the largest class is {largest:.0%}"
    )


def _falls_apart(vitals: Vitals) -> str:
    """What there is to say where training falls and validation stays with that of a constant."""
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    constant, reached = vitals.whole_constant, vitals.validation_constant
    if len(checks) <= _RECENT_CHECKS or len(training) != len(checks) or vitals.evaluates_late:
        return ""
    if vitals.is_imbalanced or not vitals.validates_the_same_loss or _decides_better(vitals):
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


def _decides_better(vitals: Vitals) -> bool:
    """Whether more is said rightly of validation than by saying the largest class."""
    scores, counts = vitals.validation_scores[-_RECENT_CHECKS:], vitals.objective.target_counts
    if len(scores) < _RECENT_CHECKS or not sum(counts) or vitals.objective.task == "regression":
        return False
    return min(scores) > max(counts) / sum(counts) + _CLEAR_GAP_OF_ACCURACIES


def _constant(vitals: Vitals) -> list[Symptom]:
    constant = vitals.objective.constant_loss
    steps = [u for u in vitals.total_updates[-5:] if math.isfinite(u)]
    if not constant > 0 or not vitals.had_a_long_chance_at_full_rate or not steps:
        return []
    # What is learned by heart makes the training loss alone fall.
    apart = _falls_apart(vitals)
    if vitals.falls_in_time and not apart:
        return []
    # That validation decides no better than by chance is known where it has a score.
    has_learned = vitals.has_learned and not (apart and vitals.validation_scores)
    if vitals.recurrent or vitals.ignores_inputs:
        return []  # What such a network forgets leaves no sign in its layers.
    if len(vitals.objective.target_counts) > _FEW_CLASSES and not vitals.labels_samples:
        return []  # Of words, the most frequent are learned long before what they follow from.
    if vitals.learning_rate < _MAX_RATIO_OF_LOWERED_RATE * vitals.learning_rate_peak:
        # A schedule has let the steps down; those before count.
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
    """Whether only the labels are left to blame: it has moved, and does not go on to learn."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    way = statistics.fmean(updates) * vitals.step
    learns = vitals.is_falling or _decides_better(vitals)
    spared = vitals.dropout < _HIGH_DROPOUT and not (_is_shaken(vitals) or vitals.is_muffled)
    return way > _MIN_WAY_IN_WEIGHT_LENGTHS and spared and not learns


def _is_shaken(vitals: Vitals) -> bool:
    """Whether steps that are too large for it keep validation above the loss of a constant."""
    checks, constant = vitals.validation_losses[-_RECENT_CHECKS:], vitals.validation_constant
    return (
        constant > 0
        and vitals.validates_the_same_loss
        and not vitals.evaluates_late
        and statistics.median(checks) > (1 + _MIN_SHARE_ABOVE_CONSTANT) * constant
    )


def _by_chance(vitals: Vitals) -> list[Symptom]:
    """A share of the training's labels that is wrong, told by what is right of validation."""
    objective = vitals.objective
    classes = objective.classes if objective.task == "classification" else 2
    one_label = objective.task == "classification" or objective.classes == 1
    if objective.task not in ("classification", "binary") or not one_label:
        return []
    if not vitals.labels_samples or vitals.is_imbalanced or vitals.dropout >= _HIGH_DROPOUT:
        return []
    if vitals.is_poor or _is_a_part(vitals):
        return []  # Of what is hardly to be told at all, all classes are as likely.
    if not vitals.had_a_long_chance or vitals.step < vitals.planned_steps / 2:
        return []
    best, scores = _at_its_best(vitals)
    moments = ((slice(-max(_MIN_LOOKS, len(vitals.accuracies) // 5), None), None), (best, scores))
    return next(filter(None, (_of_moment(vitals, classes, *each) for each in moments)), [])


def _at_its_best(vitals: Vitals) -> tuple[slice, Sequence[float]]:
    """Looks at the training when validation was first told as well as ever, and its accuracies.

    Wrong labels are learned by heart after right ones (Arpit et al., 2017), and from there on more
    is told rightly of the training data and no more, or less, of validation: looks and checks are
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
    # What gets better is always behind in training.
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


def _worse_than_others(vitals: Vitals) -> list[Symptom]:
    """Numbers that are foretold worse of what is trained on than of others, for good.

    By squares: who takes another loss may do so because he knows of samples that are far off.
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
    # Dropout, too, makes training harder, by about its share.
    usual = _MIN_GAP_WHEN_HARDER + sum(vitals.dropouts)
    above = sum(loss / constant - check / reached > usual for check, loss in recent)
    check, loss = recent[-1]
    if above < _MIN_CHECKS_ABOVE or not loss < constant:
        return []  # Of what nothing is foretold nothing is harder.
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


def _is_a_part(vitals: Vitals) -> bool:
    """Whether more is added to the loss that is looked at, as of other steps of time."""
    return vitals.recent_loss > _MIN_RATIO_OF_A_SUM * vitals.recent_data_loss


def _right_of_validation(vitals: Vitals, share: float, classes: int) -> Sequence[float]:
    """The last accuracies, or what follows for them from the losses.

    That is of one who gives the class that it holds for right the chances that it has in training.
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
    """Of one class with that probability, and of all others with the same."""
    wrong = 1 - right
    return -right * math.log(right) - wrong * math.log(wrong / max(1, classes - 1))
