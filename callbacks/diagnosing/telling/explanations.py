"""What is still seen, but said under another problem's name."""

from collections.abc import Sequence

from ...problem import Problem
from ..causes import join_causes
from ..symptom import Symptom


def explanations(seen: Sequence[Symptom], causes: Sequence[Symptom]) -> dict[Problem, Problem]:
    """For each problem that another one explains, that other one.

    Args:
        seen: What the rules find, at most one symptom for each problem.
        causes: The same once `join_causes` has joined it.

    Returns:
        The problems that are seen and are no diagnoses of their own, with their causes.
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
