"""Findings over time: established, worsened, withdrawn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ..diagnosis import Diagnosis
from ..problem import Problem
from ..remedy import Remedy
from .causes import CAUSES
from .symptom import RANK, Symptom

_REPORTS_TO_BE_HEALED = 3
_MAX_REPORTS_TO_BE_HEALED = 20


class History:
    """Establish what enough consecutive reports show, and withdraw what is gone.

    A problem is gone once as many consecutive reports do not show it as ever showed it, but at
    least three and at most 20. After as many reports a warning becomes informational. While hardly
    anything is learned, a warning stays unless another one could explain that. Reports closer
    together than half an interval, as those of validation may be, observe the same state and count
    as one: the later ones can only add symptoms. While a diagnosis explains that nothing is
    learned, this is not reported by itself. Such a diagnosis, once withdrawn, comes back if three
    consecutive reports show that hardly anything is learned, and nothing else is wrong.

    Attributes:
        diagnoses: Current diagnoses, the worst first.
        announced: All diagnoses that were ever reported, in order.
    """

    def __init__(self) -> None:
        self.diagnoses: list[Diagnosis] = []
        self.announced: list[Diagnosis] = []
        self._counted = -math.inf
        self._seen: dict[Problem, tuple[str, int]] = {}
        self._missed: dict[Problem, int] = {}
        self._shown: dict[Problem, int] = {}
        self._eased: list[Diagnosis] = []
        self._healed: Diagnosis | None = None
        self._poor = 0

    def report(
        self,
        symptoms: Sequence[Symptom],
        step: int,
        epoch: int,
        *,
        interval: int,
        is_poor: bool = False,
    ) -> tuple[list[Diagnosis], list[Diagnosis]]:
        """Update the diagnoses with the symptoms of a report.

        Args:
            symptoms: At most one for each problem.
            step: Optimiser steps done.
            epoch: Epoch, from 0.
            interval: Usual number of steps between reports.
            is_poor: Whether hardly anything is learned.

        Returns:
            Diagnoses that are newly established, no longer only informational, or critical for the
            first time; and those that are withdrawn, or only informational again.
        """
        close = 0 <= step - self._counted < interval / 2
        if not close:
            self._counted = step
        stands = any(d.problem is Problem.NOT_LEARNING for d in self.diagnoses)
        if is_poor and not stands and any(map(_explains_nothing_learned, self.diagnoses)):
            symptoms = [s for s in symptoms if s.problem is not Problem.NOT_LEARNING or s.is_root]
        now = {symptom.problem for symptom in symptoms}
        if not close:
            warned = {symptom.problem for symptom in symptoms if symptom.severity != "info"}
            self._shown.update({problem: self._shown.get(problem, 0) + 1 for problem in warned})
        self._eased = []
        new = [d for s in symptoms if (d := self._establish(s, step, epoch, close=close))]
        missing = [] if close else [d for d in self.diagnoses if d.problem not in now]
        gone = [d for d in missing if self._is_healed(d.problem)]
        others = [d for d in [*self.diagnoses, *new] if d not in gone]
        if is_poor and all(d.severity == "info" for d in others):
            gone = [d for d in gone if d.severity == "info"]
        if not close:
            self._seen = {problem: self._seen[problem] for problem in now}
        kept = [
            d for d in self.diagnoses if d not in gone and d.problem not in {n.problem for n in new}
        ]
        self._healed = next(filter(_explains_nothing_learned, gone), self._healed)
        self._poor = self._poor + (not close) if is_poor else 0
        new += self._come_back([*kept, *new])
        self.announced += new
        self.diagnoses = sorted([*kept, *new], key=lambda d: (-RANK[d.severity], d.step))
        return new, [*gone, *self._eased]

    def _come_back(self, standing: Sequence[Diagnosis]) -> list[Diagnosis]:
        """Return the withdrawn diagnosis if its problem does not seem to have healed."""
        healed, alone = self._healed, all(d.severity == "info" for d in standing)
        if healed is None or not alone or self._poor < _REPORTS_TO_BE_HEALED:
            return []
        self._healed, self._missed[healed.problem] = None, 0
        return [] if any(d.problem is healed.problem for d in standing) else [healed]

    def _establish(
        self, symptom: Symptom, step: int, epoch: int, *, close: bool
    ) -> Diagnosis | None:
        severity, count = self._seen.get(symptom.problem, (symptom.severity, 0))
        if RANK[symptom.severity] > RANK[severity]:
            count = 0
        count += not close or count == 0
        self._seen[symptom.problem] = (symptom.severity, count)
        known = next((d for d in self.diagnoses if d.problem == symptom.problem), None)
        if known is not None and known.severity != "info" == symptom.severity:
            self._ease(known, _diagnosed(symptom, step, epoch), close=close)
            return None
        self._missed[symptom.problem] = 0
        if count < symptom.reports:
            return None
        diagnosis = _diagnosed(symptom, step, epoch)
        if known is None or known.severity == "info" != symptom.severity:
            return diagnosis
        # Current figures and severity, but the step at which it was established.
        diagnosis = replace(diagnosis, step=known.step, epoch=known.epoch)
        if self._is_news(diagnosis):
            return diagnosis
        self._replace(known, diagnosis)
        return None

    def _is_news(self, worse: Diagnosis) -> bool:
        """Whether it is critical for the first time since it was established."""
        now = (worse.problem, "critical", worse.step)
        said = [(d.problem, d.severity, d.step) for d in self.announced]
        return worse.severity == "critical" and now not in said

    def _ease(self, known: Diagnosis, eased: Diagnosis, *, close: bool) -> None:
        """Make a warning informational once its symptom has been so for long enough."""
        if not close and self._is_healed(known.problem):
            self._missed[known.problem] = 0
            self._replace(known, replace(eased, step=known.step, epoch=known.epoch))
            self._eased.append(known)

    def _replace(self, known: Diagnosis, now: Diagnosis) -> None:
        self.diagnoses[self.diagnoses.index(known)] = now

    def _is_healed(self, problem: Problem) -> bool:
        self._missed[problem] = self._missed.get(problem, 0) + 1
        shown = min(self._shown.get(problem, 0), _MAX_REPORTS_TO_BE_HEALED)
        return self._missed[problem] >= max(shown, _REPORTS_TO_BE_HEALED)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state, in types that ``torch.load(weights_only=True)`` accepts."""
        return {
            "diagnoses": [_plain(diagnosis) for diagnosis in self.diagnoses],
            "announced": [_plain(diagnosis) for diagnosis in self.announced],
            "counted": self._counted,
            "seen": {problem.value: seen for problem, seen in self._seen.items()},
            "missed": {problem.value: missed for problem, missed in self._missed.items()},
            "shown": {problem.value: times for problem, times in self._shown.items()},
            "healed": None if self._healed is None else _plain(self._healed),
            "poor": self._poor,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.diagnoses = [_diagnosis(plain) for plain in state_dict["diagnoses"]]
        self.announced = [_diagnosis(plain) for plain in state_dict["announced"]]
        self._counted = state_dict.get("counted", -math.inf)
        self._seen = {Problem(code): tuple(seen) for code, seen in state_dict["seen"].items()}
        self._missed = {Problem(code): missed for code, missed in state_dict["missed"].items()}
        self._shown = {Problem(code): n for code, n in state_dict.get("shown", {}).items()}
        healed, self._poor = state_dict.get("healed"), state_dict.get("poor", 0)
        self._healed = None if healed is None else _diagnosis(healed)


def _diagnosed(symptom: Symptom, step: int, epoch: int) -> Diagnosis:
    return Diagnosis(
        symptom.problem, symptom.severity, symptom.layer, step, epoch, symptom.evidence,
        symptom.measurements, symptom.remedies,
    )  # fmt: skip


def _explains_nothing_learned(diagnosis: Diagnosis) -> bool:
    effects = CAUSES.get(diagnosis.problem, ())
    return diagnosis.severity != "info" and Problem.NOT_LEARNING in effects


def _plain(diagnosis: Diagnosis) -> dict[str, Any]:
    return {**asdict(diagnosis), "problem": diagnosis.problem.value}


def _diagnosis(plain: Mapping[str, Any]) -> Diagnosis:
    remedies = tuple(Remedy(**remedy) for remedy in plain["remedies"])
    return Diagnosis(**{**plain, "problem": Problem(plain["problem"]), "remedies": remedies})
