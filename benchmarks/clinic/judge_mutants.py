"""How often the doctor finds a fault that was put into a program which is well.

Each operator of mutations/ changes so many programs of the clinic, drawn by its name, and each
is trained with a doctor. Where the goal is still reached the change did no harm, and nothing is
counted. Else, and where the training breaks off, a warning that stands is right if it is one that
the operator accepts.

    python benchmarks/clinic/judge_mutants.py [--programs 12] [--processes 2] [--operators NAME ...]

Writes results/clinic_mutants.txt if all operators are run.
"""

import argparse
import contextlib
import io
import logging
import math
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from all_cases import HEALTHY, named
from case import Case, Program
from judge import QUIET
from mutations import OPERATORS, Operator, first_that_hold

from torchvitals.callbacks import TrainingDoctor

sys.path.append(str(Path(__file__).parents[1]))
from timing import be_quiet, machine

RESULTS = Path(__file__).parents[1] / "results" / "clinic_mutants.txt"


@dataclass(frozen=True)
class Mutant:
    """One training of a changed program. ``score`` is None where the operator has no hold on it."""

    operator: str
    program: str
    harmed: bool = False
    score: float | None = None
    said: tuple[str, ...] = ()


def train(operator: str, name: str) -> Mutant:
    """Change a program, train it, and ask its doctor."""
    (case,) = named([name])
    return train_case(operator, case, 0)


def train_case(operator: str, case: Case, seed: int) -> Mutant:
    """The same of any case."""
    program = _operator(operator).mutate(case.train(seed))
    if program is None:
        return Mutant(operator, case.name)
    try:
        score, doctor = attend(program)
    except (AttributeError, IndexError, TypeError):
        return Mutant(operator, case.name)  # It relies on what was changed.
    said = tuple(d.problem.value for d in doctor.diagnoses if d.severity != "info")
    return Mutant(operator, case.name, not case.goal.reached(score), score, said)


def attend(program: Program) -> tuple[float, TrainingDoctor]:
    """Train a program: its score, NaN where it breaks off, and the doctor that it was trained with.

    Raises:
        RuntimeError: If the doctor switched itself off.
    """
    be_quiet()
    warnings.simplefilter("ignore")
    for logger in QUIET:
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    doctor, broken = TrainingDoctor(), False
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            program.fit([doctor])
    except (RuntimeError, ValueError):
        broken = True  # By NaN in a distribution, say.
    if doctor.failed:
        raise RuntimeError("the doctor switched itself off")
    return (math.nan if broken else _score(program)), doctor


def _score(program: Program) -> float:
    try:
        return program.score()
    except ValueError:  # scikit-learn measures nothing that is not finite
        return math.nan


def _operator(name: str) -> Operator:
    return next(operator for operator in OPERATORS if operator.name == name)


def trained(operators: Sequence[Operator], count: int, processes: int) -> Iterator[Mutant]:
    """Train so many changed programs of each operator."""
    with ProcessPoolExecutor(processes) as pool:
        for operator in operators:
            yield from first_that_hold(
                [case.name for case in HEALTHY], operator, count,
                partial(pool.submit, train, operator.name), lambda m: m.score is not None,
            )  # fmt: skip


def is_right(mutant: Mutant) -> bool:
    return bool(mutant.said) and mutant.said[0] in _operator(mutant.operator).accepted


def report(mutants: Sequence[Mutant]) -> str:
    harmed = [m for m in mutants if m.harmed]
    rows = [
        f"{machine('cpu')}; seed 0",
        f"  {len(mutants)} programs changed, {len(harmed)} of which missed their goal",
        f"  flagged {_share(bool(m.said) for m in harmed)}, right {_share(map(is_right, harmed))}",
        "Of those that missed their goal: flagged, right, and what was said first",
    ]
    for name in dict.fromkeys(m.operator for m in mutants):
        mine = [m for m in harmed if m.operator == name]
        said = Counter(m.said[0] if m.said else "nothing" for m in mine).most_common()
        listed = ", ".join(f"{what} {count}" for what, count in said)
        flagged, right = sum(bool(m.said) for m in mine), sum(map(is_right, mine))
        rows.append(f"  {name:28} {len(mine):3} {flagged:3} {right:3}  {listed}")
    rows.append("Not right")
    for m in harmed:
        if not is_right(m):
            said_all = ", ".join(m.said) or "nothing"
            rows.append(f"  {m.operator}, {m.program}: score {m.score:.3g}, said {said_all}")
    return "\n".join(rows)


def _share(flags: object) -> str:
    values = list(flags)  # type: ignore[call-overload]
    return f"{sum(values) / len(values):.1%}" if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=int, default=12, help="of each operator")
    parser.add_argument("--processes", type=int, default=1)
    names = [operator.name for operator in OPERATORS]
    parser.add_argument(
        "--operators", nargs="+", choices=names, metavar="NAME", default=names,
        help="all if not given",
    )  # fmt: skip
    arguments = parser.parse_args()
    operators = [_operator(name) for name in names if name in arguments.operators]
    mutants = []
    for mutant in trained(operators, arguments.programs, arguments.processes):
        mutants.append(mutant)
        state = ", ".join(mutant.said) or "nothing"
        harm = "harmed" if mutant.harmed else "as well as before"
        print(f"{mutant.operator}, {mutant.program}: {harm}, said {state}", flush=True)
    table = report(mutants)
    print(table)
    if len(operators) == len(OPERATORS):
        RESULTS.write_text(table + "\n")


if __name__ == "__main__":
    main()
