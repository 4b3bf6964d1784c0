"""How often the doctor is right on programs that nobody wrote, with and without a fault.

Each program of drawn.py that reaches its goal counts as healthy. Then one of the faults of
mutations/, drawn as well, is put into it; where the goal is missed now, it counts as faulty.
What misses its goal without a fault, or reaches it with one, counts as neither.

    python benchmarks/clinic/judge_drawn.py [--programs 400] [--first 0] [--processes 2]

Writes results/clinic_drawn.txt.
"""

import argparse
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from case import Case
from drawn import drawn
from judge_mutants import Mutant, attend, report, train_case
from mutations import OPERATORS

RESULTS = Path(__file__).parents[1] / "results" / "clinic_drawn.txt"


@dataclass(frozen=True)
class Pair:
    """What was said of a program as it was drawn, and of the same with a fault."""

    name: str
    reached: bool
    alarms: tuple[str, ...]
    mutant: Mutant | None = None


def train(number: int) -> Pair:
    """Train both, each with a doctor; with a fault only what goes well without."""
    case = drawn(number)
    score, doctor = attend(case.train(number))
    alarms = tuple(d.problem.value for d in doctor.announced if d.severity != "info")
    if not case.goal.reached(score):
        return Pair(case.name, False, alarms)
    return Pair(case.name, True, alarms, _with_fault(case, number))


def _with_fault(case: Case, number: int) -> Mutant:
    """The first fault, in an order drawn for this program, that has a hold on it."""
    operators = list(OPERATORS)
    random.Random(number).shuffle(operators)
    mutants = (train_case(operator.name, case, number) for operator in operators)
    return next(mutant for mutant in mutants if mutant.score is not None)


def report_pairs(pairs: Sequence[Pair]) -> str:
    """The table of the healthy in front of that of the faulty."""
    healthy = [pair for pair in pairs if pair.reached]
    flagged = [pair for pair in healthy if pair.alarms]
    mutants = [pair.mutant for pair in healthy if pair.mutant is not None]
    harmed = [mutant for mutant in mutants if mutant.harmed]
    rows = [
        f"{len(pairs)} programs drawn, {len(healthy)} of which reached their goal",
        f"  of these {len(flagged)} were flagged at any time",
        *(f"  {pair.name}: {', '.join(pair.alarms)}" for pair in flagged),
    ]
    if harmed and healthy:
        found = sum(bool(mutant.said) for mutant in harmed) / len(harmed)
        balanced = (found + 1 - len(flagged) / len(healthy)) / 2
        rows.append(f"  balanced accuracy, with the faults below: {balanced:.3f}")
    return "\n".join([*rows, report(mutants)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    pairs = []
    numbers = range(arguments.first, arguments.first + arguments.programs)
    with ProcessPoolExecutor(arguments.processes) as pool:
        for pair in pool.map(train, numbers):
            pairs.append(pair)
            alarms = ", ".join(pair.alarms) or "nothing"
            print(f"{pair.name}: reached {pair.reached}, said {alarms}; {pair.mutant}", flush=True)
    table = report_pairs(pairs)
    print(table)
    RESULTS.write_text(table + "\n")


if __name__ == "__main__":
    main()
