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

_BY_HEART, _CHECKS = 0.3, 3
_USUAL_STEPS = (2e-4, 3e-2)
_NEAR, _LATE, _MANY = 0.05, 0.3, 20
_BELOW, _APART, _NO_BETTER, _HAIR, _PART = 0.99, 0.02, 0.98, 5e-3, 0.7
_CLEARLY, _SOON = 0.05, 500
_SOME, _MOST, _EVENLY, _STEADY = 0.2, 0.4, 0.92, 0.3
_LEARNED, _STALE, _FORGOTTEN, _HARDLY = 0.15, 0.5, 0.03, 0.02
_LOOKS, _DROPPED, _WAY, _GAP, _TIMES = 10, 0.5, 0.25, 0.01, 2.0
_MORE, _NEARLY_ALL = 0.1, 9


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a training that carries over to nothing, or that learns no more than a constant."""
    if vitals.objective.ascends:
        return _symptom(
            vitals,
            "The loss is maximised: its sign is turned on the way to the step.",
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
        Remedy("Look at inputs and labels side by side: were they shuffled apart?"),
        Remedy("See that training and validation data get the same preprocessing."),
        Remedy("See whether the network can learn 16 samples by heart.", "overfit_batches=1"),
    )
    figures = {"constant_loss": vitals.objective.constant_loss, "gain": vitals.gain}
    problem = Problem.INCONSISTENT_LABELS
    return [
        Symptom(problem, severity, evidence, figures, remedies, reports=reports, is_root=is_root)
    ]


def _by_heart(vitals: Vitals) -> list[Symptom]:
    constant, checks = vitals.whole_constant, vitals.validation_losses
    training, reached = vitals.training_epoch_losses, vitals.validation_constant
    if not constant > 0 or len(checks) < _CHECKS or len(training) != len(checks):
        return []
    if vitals.is_imbalanced or vitals.has_other_terms or vitals.evaluates_late:
        return []
    if not vitals.validates_the_same_loss:
        return []
    best, latest = vitals.best_check, statistics.median(checks[-_CHECKS:])
    if not best > _NO_BETTER * reached or _decides_better(vitals):
        return []
    # What is learned of samples seen before, and of others not a bit.
    steps = [u for u in vitals.total_updates if math.isfinite(u)]
    begins = (
        len(checks) > _CHECKS
        and not vitals.step < vitals.planned_steps / 2  # Some learn by heart before they learn.
        and max(steps, default=0.0) > _USUAL_STEPS[0]
        and vitals.had_a_long_chance
        and not vitals.validation_falls
        and training[-1] < min(training[1], _BELOW * constant)
        and latest / reached - training[-1] / constant > _APART
    )
    # What fell since the last validation may carry over to the next.
    fell = vitals.gain > _BY_HEART and training[-1] < (1 - _BY_HEART) * constant
    if not (fell or begins):
        return []
    evidence = (
        f"The training loss fell to {vitals.recent_data_loss:.4g}, but the validation loss was "
        f"never below {best:.4g} for long, and a constant reaches {reached:.4g}: nothing carries "
        "over."
    )
    return _symptom(vitals, evidence, reports=2)


def _decided_by_chance(vitals: Vitals) -> list[Symptom]:
    """Where validation has an accuracy alone: never more than by saying the largest class."""
    scores, counts = vitals.validation_scores, vitals.objective.target_counts
    if vitals.validation_losses or not vitals.scores_are_accuracies or not vitals.labels_samples:
        return []
    if len(scores) < 2 * _CHECKS or not sum(counts) or vitals.is_imbalanced:
        return []
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    # BatchNorm may be another one in evaluation, and decide by chance for that.
    stale = max(vitals.statistics_gap.values(), default=0.0) > _STALE
    largest = max(counts) / sum(counts)
    recent = scores[len(scores) // 2 :]
    chance = max(recent) <= largest + _CLEARLY
    if not late or stale or not (chance and vitals.told_rightly > largest + _LEARNED):
        return []
    evidence = (
        f"Of the training data {vitals.told_rightly:.0%} is told rightly, and of validation never "
        f"more than {max(recent):.0%}, where the largest class has {largest:.0%}: nothing carries "
        "over."
    )
    return _symptom(vitals, evidence, reports=2)


def _falls_apart(vitals: Vitals) -> str:
    """What there is to say where training falls and validation stays with that of a constant."""
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    constant, reached = vitals.whole_constant, vitals.validation_constant
    if len(checks) <= _CHECKS or len(training) != len(checks) or vitals.evaluates_late:
        return ""
    if vitals.is_imbalanced or not vitals.validates_the_same_loss or _decides_better(vitals):
        return ""
    fell = min(checks[:-_CHECKS]) - min(checks[-_CHECKS:])
    fell_in_training = min(training[:-_CHECKS]) - min(training[-_CHECKS:])
    follows = fell > _PART * fell_in_training or vitals.validation_falls
    if follows or fell_in_training < _HAIR * constant or min(checks) < _BELOW * reached:
        return ""
    if checks[-1] / reached - training[-1] / constant < _GAP:
        return ""
    return (
        f"The training loss begins to fall, to {training[-1]:.4g}, and the validation loss does "
        f"not follow: it is {checks[-1]:.4g}, and a constant reaches {reached:.4g}."
    )


def _decides_better(vitals: Vitals) -> bool:
    """Whether more is said rightly of validation than by saying the largest class."""
    scores, counts = vitals.validation_scores[-_CHECKS:], vitals.objective.target_counts
    if len(scores) < _CHECKS or not sum(counts) or vitals.objective.task == "regression":
        return False
    return min(scores) > max(counts) / sum(counts) + _CLEARLY


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
    if len(vitals.objective.target_counts) > _MANY and not vitals.labels_samples:
        return []  # Of words, the most frequent are learned long before what they follow from.
    if vitals.learning_rate < _LATE * vitals.learning_rate_peak:
        # A schedule has let the steps down; those before count.
        steps = [u for u in vitals.total_updates if math.isfinite(u)]
    low, high = _USUAL_STEPS
    moves = low < statistics.median(steps) < high
    if not (moves and abs(vitals.gain) < _NEAR and not has_learned):
        return []
    if not apart and not _had_every_chance(vitals):
        return []
    evidence = apart or (
        f"After {vitals.step} steps the loss is {vitals.recent_data_loss:.4g}, that of the best "
        f"constant ({constant:.4g}), although gradients flow and weights move as they should."
    )
    if apart or vitals.step >= min(_SOON, vitals.planned_steps / 2):
        return _symptom(vitals, evidence, reports=4)
    early = "Give it time: some networks leave a constant only after some hundred steps."
    return _symptom(vitals, evidence, early, reports=4, severity="warning")


def _had_every_chance(vitals: Vitals) -> bool:
    """Whether only the labels are left to blame: it has moved, and does not go on to learn."""
    updates = [u for u in vitals.total_updates if math.isfinite(u)]
    way = statistics.fmean(updates) * vitals.step
    learns = vitals.is_falling or _decides_better(vitals)
    spared = vitals.dropout < _DROPPED and not (_is_shaken(vitals) or vitals.is_muffled)
    return way > _WAY and spared and not learns


def _is_shaken(vitals: Vitals) -> bool:
    """Whether steps that are too large for it keep validation above the loss of a constant."""
    checks, constant = vitals.validation_losses[-_CHECKS:], vitals.validation_constant
    return (
        constant > 0
        and vitals.validates_the_same_loss
        and not vitals.evaluates_late
        and statistics.median(checks) > (1 + _NEAR) * constant
    )


def _by_chance(vitals: Vitals) -> list[Symptom]:
    """A share of the training's labels that is wrong, told by what is right of validation."""
    objective = vitals.objective
    classes = objective.classes if objective.task == "classification" else 2
    one_label = objective.task == "classification" or objective.classes == 1
    if objective.task not in ("classification", "binary") or not one_label:
        return []
    if not vitals.labels_samples or vitals.is_imbalanced or vitals.dropout >= _DROPPED:
        return []
    if vitals.is_poor or _is_a_part(vitals):
        return []  # Of what is hardly to be told at all, all classes are as likely.
    if not vitals.had_a_long_chance or vitals.step < vitals.planned_steps / 2:
        return []
    best, scores = _at_its_best(vitals)
    moments = ((slice(-max(_LOOKS, len(vitals.accuracies) // 5), None), None), (best, scores))
    return next(filter(None, (_of_moment(vitals, classes, *each) for each in moments)), [])


def _at_its_best(vitals: Vitals) -> tuple[slice, Sequence[float]]:
    """Looks at the training when validation was first told as well as ever, and its accuracies.

    Wrong labels are learned by heart after right ones (Arpit et al., 2017), and from there on more
    is told rightly of the training data and no more, or less, of validation: looks and checks are
    evenly spread over the steps.
    """
    scores, none = vitals.validation_scores, (slice(0), ())
    if not vitals.scores_are_accuracies or len(scores) < 2 * _CHECKS:
        return none
    best = max(scores)
    place = next(i for i, score in enumerate(scores) if score > best - _HARDLY)
    around = scores[max(0, place - 1) : place + 2]
    looks, learned = len(vitals.accuracies), vitals.accuracies
    middle, half = round((place + 1) / len(scores) * looks), max(_LOOKS, looks // 10) // 2
    then = slice(max(0, middle - half), middle + half)
    forgets = min(around) - statistics.median(scores[-_CHECKS:]) > _FORGOTTEN
    if not forgets and learned[then]:
        now = statistics.fmean(learned[-2 * half :])
        forgets = now - statistics.fmean(learned[then]) > _CLEARLY
    return (then, around) if forgets and place <= len(scores) / 2 else none


def _of_moment(
    vitals: Vitals, classes: int, looks: slice, known: Sequence[float] | None
) -> list[Symptom]:
    learned, losses = vitals.accuracies[looks], vitals.data_losses[looks]
    share = statistics.fmean(learned) if learned else 0.0
    if len(learned) < _LOOKS or not losses or not 0 < share < 1:
        return []
    if statistics.fmean(losses) < _EVENLY * _entropy(share, classes):
        return []
    scores = _right_of_validation(vitals, share, classes) if known is None else known
    if len(scores) < _CHECKS or not share < min(scores) <= 1:
        return []
    right = min(scores)
    wrong = 1 - share / right
    # What gets better is always behind in training.
    if wrong < _SOME or max(scores) - right > _STEADY * (right - share):
        return []
    since = "" if known is None else " (at its best; since then labels are learned by heart)"
    evidence = (
        f"Of validation about {right:.0%} is told rightly{since}, and of the training data "
        f"{share:.0%}, with all other classes as likely as one another: about {wrong:.0%} of its "
        "labels are wrong."
    )
    advice = "Look at the training samples with the highest losses: wrong labels are among them."
    severity: Severity = "warning" if wrong > _MOST else "info"
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
    recent = list(zip(checks, training, strict=True))[-_LOOKS:]
    if not late or len(recent) < _LOOKS or vitals.is_falling:
        return []
    constant, reached = vitals.whole_constant, vitals.validation_constant
    # Dropout, too, makes training harder, by about its share.
    usual = _MORE + sum(vitals.dropouts)
    above = sum(loss / constant - check / reached > usual for check, loss in recent)
    check, loss = recent[-1]
    if above < _NEARLY_ALL or not loss < constant:
        return []  # Of what nothing is foretold nothing is harder.
    constants = f"a constant has {constant:.4g}"
    if reached != constant:
        constants = f"constants have {constant:.4g} and {reached:.4g}"
    evidence = (
        f"The training loss, {loss:.4g}, has been far above that of validation, {check:.4g}, at "
        f"{above} of the last {_LOOKS} checks, where {constants}: its targets are harder to "
        "foretell than others."
    )
    advice = "Look at the training samples with the highest losses: wrong labels are among them."
    return _symptom(vitals, evidence, advice, reports=3, severity="warning")


def _is_a_part(vitals: Vitals) -> bool:
    """Whether more is added to the loss that is looked at, as of other steps of time."""
    return vitals.recent_loss > _TIMES * vitals.recent_data_loss


def _right_of_validation(vitals: Vitals, share: float, classes: int) -> Sequence[float]:
    """The last accuracies, or what follows for them from the losses.

    That is of one who gives the class that it holds for right the chances that it has in training.
    """
    if vitals.scores_are_accuracies:
        return vitals.validation_scores[-_CHECKS:]
    if not vitals.validates_the_same_loss or vitals.has_other_terms:
        return []
    right, wrong = -math.log(share), -math.log((1 - share) / max(1, classes - 1))
    if not wrong > right:
        return []
    return [(wrong - loss) / (wrong - right) for loss in vitals.validation_losses[-_CHECKS:]]


def _entropy(right: float, classes: int) -> float:
    """Of one class with that probability, and of all others with the same."""
    wrong = 1 - right
    return -right * math.log(right) - wrong * math.log(wrong / max(1, classes - 1))
