"""Verdicts and outcomes of runs in plain words."""

import math
from collections.abc import Mapping
from contextlib import suppress

from .case import Case
from .case_notes import Health
from .finding import Finding


def verdict_of(case: Case) -> tuple[Health, str]:
    """Return the worst severity of the current findings, and all of them in one sentence.

    A run without warnings is only healthy if it ended without an error, after as many steps as the
    doctor itself waits for.
    """
    standing = [f for f in case.findings if f.stands and f.diagnosis.severity != "info"]
    if standing:
        critical = any(f.diagnosis.severity == "critical" for f in standing)
        count = "1 problem" if len(standing) == 1 else f"{len(standing)} problems"
        named = "; ".join(map(_where_and_when, standing))
        return "critical" if critical else "warning", f"{count}: {named}."
    if case.failed:
        return "unknown", "No verdict: the doctor failed and switched itself off."
    if not case.last_step:
        return "unknown", "No verdict: no step is recorded."
    if case.error is not None:
        return "unknown", "Nothing stood out before the run was aborted."
    if is_too_early(case.steps, case.facts):
        return "unknown", "Nothing stands out so far: it is too early for a verdict."
    if not case.ended:
        return "unknown", "Nothing stands out so far: the end of the run is not recorded."
    return "healthy", "Healthy: nothing stands out."


def is_too_early(steps: int, facts: Mapping[str, str | float]) -> bool:
    """Whether there are fewer steps than the doctor itself waits for.

    Args:
        steps: Number of steps that are recorded.
        facts: Facts about the run.
    """
    planned = math.inf
    with suppress(ValueError):  # The record may be damaged.
        planned = float(facts.get("planned steps", math.inf))
    return steps < max(30, min(200, planned / 10))


def _where_and_when(finding: Finding) -> str:
    diagnosis = finding.diagnosis
    place = f" in {diagnosis.layer}" if diagnosis.layer else ""
    return f"{diagnosis.problem.in_words}{place} {time_of(finding)}"


def time_of(finding: Finding) -> str:
    """Say when a finding began."""
    return f"since step {finding.since:,}" if finding.since else "from the start"


def count_of(steps: int) -> str:
    """Format a number of steps."""
    return f"{steps:,} {'step' if steps == 1 else 'steps'}"


def _shared_by(case: Case) -> str:
    """Say how the steps of several optimisers are counted, which Lightning adds up."""
    count = str(case.facts.get("optimiser", "")).count(", ") + 1
    return f" (steps of {count} optimisers count as one)" if count > 1 else ""


def outcome_of(case: Case) -> str:
    """Say in one sentence how the run ended."""
    steps = count_of(case.last_step) + _shared_by(case)
    if case.error is not None:
        end = f"Aborted after {steps}: {case.error}"
    elif case.ended:
        end = f"Finished after {steps}"
    else:
        end = f"No end is recorded; the last report is of step {case.last_step:,}"
    if case.failed:
        end += "; the doctor failed and switched itself off before that"
    if case.resumed:
        times = ", ".join(f"{step:,}" for step in case.resumed)
        end += f"; resumed at step {times}"
    return end if end.endswith((".", "!", "?")) else f"{end}."
