"""What a doctor's journal tells."""

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
    """A training as the doctor saw it; steps are those of the loggers' axis.

    Attributes:
        facts: What is known of the run.
        losses: Step and loss of each batch.
        figures: Step and value of what was reported beside the losses, by name.
        validations: Step and value of what was validated, by name.
        findings: Diagnoses in the order in which they were established.
        resumed: Steps at which the run was taken up again.
        last_step: Steps done by the last entry.
        last_epoch: Its epoch, from 0.
        ended: Whether the end of the fit was recorded.
        error: What ended it before its time.
        failed: Whether the doctor switched itself off before.
    """

    facts: dict[str, str | float] = field(default_factory=dict)
    losses: Points = field(default_factory=list)
    figures: dict[str, Points] = field(default_factory=dict)
    validations: dict[str, Points] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    last_step: int = 0
    last_epoch: int = 0
    ended: bool = False
    error: str | None = None
    failed: bool = False


def read_case(entries: Iterable[Mapping[str, Any]]) -> Case:
    """Put a journal's entries together.

    A fit that starts afresh drops what went before; one that is resumed at an earlier step than
    the last entry's drops what it does again. An entry of a form that is not known is left out.

    Args:
        entries: As `Journal` makes them.

    Returns:
        The last fit, with those that it went on with.
    """
    case = Case()
    for entry in entries:
        with suppress(*UNKNOWN_FORM):
            case = _with(case, entry)
    return case


def _with(case: Case, entry: Mapping[str, Any]) -> Case:
    """The case with one entry more; one that raises has changed nothing."""
    match entry:
        case {"start": int(step), "resumed": bool(resumed)}:
            return _rewind(case, step) if resumed else Case()
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
            _establish(case, diagnosis_of(plain), step)
        case {"withdrawn": str(problem), "at": int(step)}:
            _withdraw(case, problem, step)
        case {"end": int(step), "error": str() | None as error, "failed": bool(failed)}:
            case.ended, case.error, case.failed, case.last_step = True, error, failed, step
    return case


def diagnosis_of(plain: Mapping[str, Any]) -> Diagnosis:
    """A diagnosis from its form in the journal.

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
    raise ValueError(f"Expected a diagnosis as the journal has it, but got {plain!r}.")


def _remedy(plain: Mapping[str, Any]) -> Remedy:
    match plain:
        case {"advice": str(advice), "code": str(code)}:
            return Remedy(advice, code)
    raise ValueError(f"Expected a remedy as the journal has it, but got {plain!r}.")


def _fact(value: Any) -> str | float:
    """A text or number, as it is."""
    if not isinstance(value, str):
        float(value)
    return value  # type: ignore[no-any-return]


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items()}


def _rewind(case: Case, step: int) -> Case:
    """The case as it was at a step, when it goes on from there."""

    def until(curves: dict[str, Points]) -> dict[str, Points]:
        return {name: [p for p in points if p[0] <= step] for name, points in curves.items()}

    findings = [f for f in case.findings if f.since <= step]
    return replace(
        case,
        # The loss of a step comes before it, and has its number from 0.
        losses=[point for point in case.losses if point[0] < step],
        figures=until(case.figures),
        validations=until(case.validations),
        findings=[
            replace(f, withdrawn=None) if f.withdrawn and f.withdrawn > step else f
            for f in findings
        ],
        resumed=[*case.resumed, step],
        last_step=step,
        ended=False,
        error=None,
        failed=False,
    )


def _spread(since: int, step: int, losses: Sequence[float | str]) -> Points:
    """The losses of batches, spread over the steps that they made."""
    width = (step - since) / max(1, len(losses))
    return [(since + width * i, float(loss)) for i, loss in enumerate(losses)]


def _add_points(curves: dict[str, Points], step: int, figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        points = curves.setdefault(name, [])
        if points and points[-1][0] == step:
            points.pop()
        points.append((step, value))


def _establish(case: Case, diagnosis: Diagnosis, step: int) -> None:
    for place, known in enumerate(case.findings):
        if known.stands and known.diagnosis.problem == diagnosis.problem:
            case.findings[place] = _changed(known, diagnosis, step)
            return
    case.findings.append(Finding(diagnosis, step))


def _changed(known: Finding, diagnosis: Diagnosis, step: int) -> Finding:
    """A finding in its new form; what was only worth knowing begins when it is more than that."""
    before = known.diagnosis.severity
    if before == diagnosis.severity:
        return replace(known, diagnosis=diagnosis)
    if before == "info":
        return Finding(diagnosis, step)
    # What goes to and fro is as severe since it was so first, which is when it was said.
    changes = {before: known.changed, **known.changes}
    changed = changes.get(diagnosis.severity, step)
    return replace(known, diagnosis=diagnosis, changed=changed, changes=changes)


def _withdraw(case: Case, problem: str, step: int) -> None:
    for place, known in enumerate(case.findings):
        if known.stands and known.diagnosis.problem == problem:
            case.findings[place] = replace(known, withdrawn=step)
