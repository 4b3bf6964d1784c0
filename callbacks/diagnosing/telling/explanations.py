"""Problems that are still observed, but reported under another problem's name."""

from collections.abc import Sequence

from ...problem import Problem
from ..causes import join_causes
from ..symptom import Symptom


def explanations(seen: Sequence[Symptom], causes: Sequence[Symptom]) -> dict[Problem, Problem]:
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
