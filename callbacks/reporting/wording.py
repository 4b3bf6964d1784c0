"""Problems, verdicts and quantities in plain words."""

from collections.abc import Sequence

from ..problem import Problem
from .case import Case
from .case_notes import Health
from .finding import Finding

_NAMES = {
    Problem.NON_FINITE: "values that are not finite",
    Problem.EXPLODING_GRADIENT: "exploding gradients",
    Problem.VANISHING_GRADIENT: "vanishing gradients",
    Problem.DEAD_RELU: "dead ReLUs",
    Problem.SATURATED_ACTIVATION: "saturated activations",
    Problem.POOR_INITIALIZATION: "poor initialisation",
    Problem.UNNORMALIZED_INPUT: "unnormalised input",
    Problem.OUTPUT_LOSS_MISMATCH: "output that does not fit the loss",
    Problem.OVERFITTING: "over-fitting",
    Problem.OVER_REGULARIZED: "too much regularisation",
    Problem.TRAIN_EVAL_MISMATCH: "training and evaluation disagree",
    Problem.FROZEN_PARAMETER: "parameters that do not train",
}


def name_of(problem: Problem) -> str:
    """A problem in words."""
    return _NAMES.get(problem) or problem.value.replace("_", " ")


def health_of(findings: Sequence[Finding]) -> Health:
    """The worst of what stands."""
    severities = {finding.diagnosis.severity for finding in findings if finding.stands}
    if "critical" in severities:
        return "critical"
    return "warning" if "warning" in severities else "healthy"


def verdict_of(findings: Sequence[Finding]) -> str:
    """What stands, in one sentence."""
    problems = [f for f in findings if f.stands and f.diagnosis.severity != "info"]
    if not problems:
        return "Healthy: nothing stands out."
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"{count}: {'; '.join(map(_where_and_when, problems))}."


def _where_and_when(finding: Finding) -> str:
    diagnosis = finding.diagnosis
    place = f" in {diagnosis.layer}" if diagnosis.layer else ""
    time = f"since step {diagnosis.step:,}" if diagnosis.step else "from the start"
    return f"{name_of(diagnosis.problem)}{place} {time}"


def outcome_of(case: Case) -> str:
    """How the run ended, in one sentence."""
    steps = f"{case.last_step:,} {'step' if case.last_step == 1 else 'steps'}"
    if case.error:
        end = f"Ended after {steps} by {case.error}"
    elif case.ended:
        end = f"Finished after {steps}"
    else:
        end = f"No end is recorded after {steps}: the run goes on, or was killed"
    if case.resumed:
        times = ", ".join(f"{step:,}" for step in case.resumed)
        end += f"; taken up again at step {times}"
    return end if end.endswith((".", "!", "?")) else f"{end}."
