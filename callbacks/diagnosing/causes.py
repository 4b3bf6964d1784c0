"""Which problem causes which: the symptoms of one cause are one diagnosis."""

from collections.abc import Sequence
from dataclasses import replace

from ..diagnosis import Severity
from ..problem import Problem as P
from .symptom import Symptom

_STALLED = (
    P.NOT_LEARNING, P.LEARNING_RATE_TOO_LOW, P.UNSTABLE_LOSS, P.CLASS_IMBALANCE, P.COVARIATE_SHIFT,
    P.DORMANT_UNITS,
)  # fmt: skip
_STUCK = (*_STALLED, P.INCONSISTENT_LABELS)
_BROKEN = (*_STUCK, P.NON_FINITE, P.DEAD_RELU, P.SATURATED_ACTIVATION, P.VANISHING_GRADIENT)
# Possible effects of an obvious mistake, such as one in the inputs.
_DISTURBED = (
    *_BROKEN, P.LEARNING_RATE_TOO_HIGH, P.EXPLODING_GRADIENT, P.OVERFITTING, P.POOR_INITIALIZATION,
    P.TRAIN_EVAL_MISMATCH, P.OVER_REGULARIZED,
)  # fmt: skip
# Observed before the first step, and the cause of other symptoms that look as obvious.
_SEEN_FIRST = (P.OUTPUT_LOSS_MISMATCH, P.UNNORMALIZED_INPUT)
# Number of explained symptoms to report; those that say no more than the cause come last.
_MOST_TOLD = 2
_TELL_THE_LOSS = {P.INCONSISTENT_LABELS, P.LEARNING_RATE_TOO_LOW, P.LEARNING_RATE_TOO_HIGH}
_TOLD_LAST = {P.DORMANT_UNITS: 1, P.LEARNING_RATE_TOO_HIGH: 2, P.NOT_LEARNING: 3}
# A cause comes before what it explains; the first one present takes its effects' evidence.
CAUSES: dict[P, tuple[P, ...]] = {
    P.OUTPUT_LOSS_MISMATCH: (
        *_BROKEN, P.LEARNING_RATE_TOO_HIGH, P.EXPLODING_GRADIENT, P.OVERFITTING,
        P.POOR_INITIALIZATION,
    ),
    P.SYMMETRIC_WEIGHTS: (*_BROKEN, P.POOR_INITIALIZATION, P.LEARNING_RATE_TOO_HIGH),
    P.LINEAR_NETWORK: (*_BROKEN, P.POOR_INITIALIZATION, P.LEARNING_RATE_TOO_HIGH),
    P.UNNORMALIZED_INPUT: (
        *_BROKEN, P.LEARNING_RATE_TOO_HIGH, P.EXPLODING_GRADIENT, P.POOR_INITIALIZATION,
    ),
    P.FROZEN_PARAMETER: tuple(effect for effect in _BROKEN if effect != P.NON_FINITE),
    P.TRAIN_EVAL_MISMATCH: (P.OVERFITTING, P.INCONSISTENT_LABELS, P.UNSTABLE_LOSS),
    P.OVER_REGULARIZED: (*_BROKEN, P.LEARNING_RATE_TOO_HIGH, P.POOR_INITIALIZATION),
    P.LEARNING_RATE_TOO_HIGH: (
        *_BROKEN, P.EXPLODING_GRADIENT, P.POOR_INITIALIZATION, P.OVERFITTING,
    ),
    P.EXPLODING_GRADIENT: (*_BROKEN, P.POOR_INITIALIZATION),
    # Neither dead units nor saturated ones let a gradient through.
    P.DEAD_RELU: (*_STUCK, P.VANISHING_GRADIENT, P.POOR_INITIALIZATION),
    P.SATURATED_ACTIVATION: (*_STUCK, P.VANISHING_GRADIENT),
    P.VANISHING_GRADIENT: (*_STUCK, P.POOR_INITIALIZATION),
    P.POOR_INITIALIZATION: _STUCK,
    P.NON_FINITE: _STUCK,
    P.INCONSISTENT_LABELS: (*_STALLED, P.OVERFITTING),
    P.LEARNING_RATE_TOO_LOW: (P.NOT_LEARNING, P.DORMANT_UNITS, P.CLASS_IMBALANCE),
    P.CLASS_IMBALANCE: (P.NOT_LEARNING, P.OVERFITTING),
    P.UNSTABLE_LOSS: (P.NOT_LEARNING, P.COVARIATE_SHIFT),
}  # fmt: skip


def join_causes(symptoms: Sequence[Symptom]) -> list[Symptom]:
    """Leave out symptoms that another one explains, and add their evidence to it.

    Informational symptoms explain nothing.

    Args:
        symptoms: At most one for each problem.

    Returns:
        The causes first, then the symptoms that nothing explains.
    """
    left, joined = {symptom.problem: symptom for symptom in symptoms}, []
    plain = [s for s in symptoms if s.severity != "info"]
    known_first = {
        effect for s in plain if s.problem in _SEEN_FIRST for effect in CAUSES[s.problem]
    }
    roots = [s.problem for s in plain if s.is_root and s.problem not in known_first]
    for cause, effects in [*((root, _DISTURBED) for root in roots), *CAUSES.items()]:
        symptom = left.get(cause)
        if symptom is None or symptom.severity == "info" or symptom.stands_alone:
            continue
        del left[cause]
        known = [e for e in effects if e in left and not left[e].stands_alone]
        joined.append(_with_evidence(symptom, [left.pop(effect) for effect in known]))
    return [*joined, *left.values()]


def explanations(seen: Sequence[Symptom], causes: Sequence[Symptom]) -> dict[P, P]:
    """Return the cause of each problem that another one explains.

    Args:
        seen: Symptoms that the rules find, at most one for each problem.
        causes: The same after `join_causes`.

    Returns:
        The problems that are observed but not diagnosed themselves, with their causes.
    """
    own = {cause.problem for cause in causes}
    return {
        symptom.problem: cause.problem
        for symptom in seen
        if symptom.problem not in own
        for cause in reversed(causes)
        if _explains(cause, symptom)
    }


def _explains(cause: Symptom, symptom: Symptom) -> bool:
    return [joined.problem for joined in join_causes([symptom, cause])] == [cause.problem]


def _with_evidence(cause: Symptom, effects: list[Symptom]) -> Symptom:
    if not effects:
        return cause
    figures = dict(cause.measurements)
    for effect in effects:
        figures |= {f"{effect.problem.value}/{n}": v for n, v in effect.measurements.items()}
    known = {*cause.tells, *([P.NOT_LEARNING] if cause.problem in _TELL_THE_LOSS else [])}
    told = [e for e in effects if e.problem not in known and e.severity != "info"]
    told.sort(key=lambda effect: _TOLD_LAST.get(effect.problem, 0))
    text = " ".join([cause.evidence, *(effect.evidence for effect in told[:_MOST_TOLD])])
    if len(told) > _MOST_TOLD:
        names = [effect.problem.in_words for effect in told[_MOST_TOLD:]]
        text += f" It also explains {', '.join(names)}."
    # What keeps training from succeeding is critical, whichever problem it is reported as.
    critical = any(symptom.severity == "critical" for symptom in (cause, *effects))
    severity: Severity = "critical" if critical else cause.severity
    return replace(cause, severity=severity, evidence=text, measurements=figures)
