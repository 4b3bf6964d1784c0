"""The contents of a doctor's journal."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ..diagnosis import Diagnosis
from ..monitoring.recording.json_lines import UNKNOWN_FORM
from ..problem import Problem
from ..remedy import Remedy
from .finding import Finding

Points = list[tuple[float, float]]


@dataclass
class Case:
    """A training run as the doctor recorded it; steps are those of the loggers' axis.

    Attributes:
        facts: Facts about the run, by name.
        losses: Step and loss of each batch.
        figures: Step and value of each figure reported alongside the losses, by name.
        validations: Step and value of each validation figure, by name.
        findings: Diagnoses in the order in which they were established.
        events: Step of each entry that the findings follow from, with the diagnosis in its form
            then, or the problem that was withdrawn.
        resumed: Steps at which the run was resumed.
        first_step: Steps done when the record began.
        last_step: Steps done at the last entry.
        last_epoch: Epoch of the last report, from 0.
        ended: Whether the end of the fit was recorded.
        error: Error that ended it early; None if none did.
        failed: Whether the doctor had switched itself off.
    """

    facts: dict[str, str | float] = field(default_factory=dict)
    losses: Points = field(default_factory=list)
    figures: dict[str, Points] = field(default_factory=dict)
    validations: dict[str, Points] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    events: list[tuple[int, Diagnosis | str]] = field(default_factory=list, compare=False)
    resumed: list[int] = field(default_factory=list)
    first_step: int = 0
    last_step: int = 0
    last_epoch: int = 0
    ended: bool = False
    error: str | None = None
    failed: bool = False

    @property
    def steps(self) -> int:
        """Number of steps that are recorded."""
        return self.last_step - self.first_step


def read_case(entries: Iterable[Mapping[str, Any]]) -> Case:
    """Assemble a case from the entries of a journal.

    A fit that starts afresh discards all earlier entries; one that is resumed before the last
    entry's step discards the entries that it repeats. Entries of an unknown form are skipped.

    Args:
        entries: Entries as `Journal` writes them.

    Returns:
        The last fit, together with those that it continued.
    """
    case = Case()
    for entry in entries:
        with suppress(*UNKNOWN_FORM):
            case = _with(case, entry)
    return case


def _with(case: Case, entry: Mapping[str, Any]) -> Case:
    """Return the case with one more entry; an entry that raises changes nothing."""
    match entry:
        case {"start": int(step), "resumed": bool(resumed)}:
            return _rewind(case, step) if resumed else Case(first_step=step, last_step=step)
        case {"facts": dict(facts)}:
            case.facts |= {name: _fact(value) for name, value in facts.items()}
        case {
            "report": int(step),
            "since": int(since),
            "epoch": int(epoch),
            "losses": list(losses),
            "figures": dict(figures),
        }:
            points, numbers = _spread(since, step, losses), _numbers(figures)
            case.losses += points
            _add_points(case.figures, step, numbers)
            case.last_step, case.last_epoch = step, epoch
        case {"validation": int(step), "figures": dict(figures)}:
            _add_points(case.validations, step, _numbers(figures))
        case {"diagnosis": dict(plain), "at": int(step)}:
            _follow(case, step, diagnosis_of(plain))
        case {"withdrawn": str(problem), "at": int(step)}:
            _follow(case, step, problem)
        case {"end": int(step), "error": str() | None as error, "failed": bool(failed)}:
            case.ended, case.error, case.failed, case.last_step = True, error, failed, step
    return case


def diagnosis_of(plain: Mapping[str, Any]) -> Diagnosis:
    """Rebuild a diagnosis from its form in the journal.

    Raises:
        ValueError: If it has another form.
    """
    match plain:
        case {
            "severity": "info" | "warning" | "critical",
            "layer": str() | None as layer,
            "step": int(step),
            "epoch": int(epoch),
            "evidence": str(evidence),
            "measurements": dict(measurements),
            "remedies": list(remedies),
        }:
            return Diagnosis(
                Problem(plain["problem"]), plain["severity"], layer, step, epoch, evidence,
                _numbers(measurements), tuple(map(_remedy, remedies)),
            )  # fmt: skip
    raise ValueError(f"Expected a diagnosis in the journal's form, but got {plain!r}.")


def _remedy(plain: Mapping[str, Any]) -> Remedy:
    match plain:
        case {"advice": str(advice), "code": str(code)}:
            return Remedy(advice, code)
    raise ValueError(f"Expected a remedy in the journal's form, but got {plain!r}.")


def _fact(value: Any) -> str | float:
    """Return a text or number unchanged; raise for anything else."""
    if not isinstance(value, str):
        float(value)
    return value  # type: ignore[no-any-return]


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items()}


def _rewind(case: Case, step: int) -> Case:
    """Return the case as it was at the step from which the run is resumed."""

    def until(curves: dict[str, Points]) -> dict[str, Points]:
        return {name: [p for p in points if p[0] <= step] for name, points in curves.items()}

    rewound = replace(
        case,
        # A step's loss is computed before the step, and is numbered from 0.
        losses=[point for point in case.losses if point[0] < step],
        figures=until(case.figures),
        validations=until(case.validations),
        findings=[],
        events=[],
        resumed=[*case.resumed, step],
        first_step=min(case.first_step, step) if case.last_step else step,
        last_step=step,
        ended=False,
        error=None,
        failed=False,
    )
    for at, event in case.events:
        if at <= step:
            _follow(rewound, at, event)
    return rewound


def _spread(since: int, step: int, losses: Sequence[float | str]) -> Points:
    """Spread the losses of batches evenly over the steps made with them."""
    width = (step - since) / max(1, len(losses))
    return [(since + width * i, float(loss)) for i, loss in enumerate(losses)]


def _add_points(curves: dict[str, Points], step: int, figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        points = curves.setdefault(name, [])
        if points and points[-1][0] == step:
            points.pop()
        points.append((step, value))


def _follow(case: Case, step: int, event: Diagnosis | str) -> None:
    case.events.append((step, event))
    if isinstance(event, Diagnosis):
        _establish(case, event, step)
    else:
        _withdraw(case, event, step)


def _establish(case: Case, diagnosis: Diagnosis, step: int) -> None:
    for place, known in enumerate(case.findings):
        if known.stands and known.diagnosis.problem == diagnosis.problem:
            case.findings[place] = _changed(known, diagnosis, step)
            return
    case.findings.append(Finding(diagnosis, step))


def _changed(known: Finding, diagnosis: Diagnosis, step: int) -> Finding:
    """Update a finding; one that was only ``"info"`` starts afresh when it becomes more severe."""
    before = known.diagnosis.severity
    if before == diagnosis.severity:
        return replace(known, diagnosis=diagnosis)
    if before == "info":
        return Finding(diagnosis, step)
    return replace(known, diagnosis=diagnosis, changed=step)


def _withdraw(case: Case, problem: str, step: int) -> None:
    for place, known in enumerate(case.findings):
        if known.stands and known.diagnosis.problem == problem:
            case.findings[place] = replace(known, withdrawn=step)
