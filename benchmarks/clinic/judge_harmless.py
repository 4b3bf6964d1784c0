"""How often a healthy program is flagged that is put in another way.

Each operator of mutations/harmless.py changes so many healthy programs of the clinic, drawn by its
name: the loss in other units, smaller batches, other precision, other validation. Each is trained
with a doctor; where the goal is reached, nothing should be said.

    python benchmarks/clinic/judge_harmless.py [--programs 12] [--processes 2]
        [--operators NAME ...]

Writes results/clinic_harmless.txt if all operators are run.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from all_cases import HEALTHY, named
from judge_mutants import attend
from mutations import first_that_hold
from mutations.harmless import OPERATORS
from timing import machine

RESULTS = Path(__file__).parents[1] / "results" / "clinic_harmless.txt"
BY_NAME = {operator.name: operator for operator in OPERATORS}


@dataclass(frozen=True)
class Variant:
    """One training of a changed program, and the warnings that were ever given in it."""

    operator: str
    program: str
    reached: bool
    alarms: tuple[str, ...] = ()


def train(operator: str, name: str) -> Variant | None:
    """Change a program and train it; None where the operator has no hold on it."""
    (case,) = named([name])
    program = BY_NAME[operator].mutate(case.train(0))
    if program is None:
        return None
    score, doctor = attend(program)
    alarms = tuple(d.problem.value for d in doctor.announced if d.severity != "info")
    return Variant(operator, name, case.goal.reached(score), alarms)


def report(variants: Sequence[Variant]) -> str:
    well = [variant for variant in variants if variant.reached]
    flagged = [variant for variant in well if variant.alarms]
    rows = [
        f"{machine('cpu')}; seed 0",
        f"  {len(variants)} healthy programs changed, {len(well)} of which reached their goal",
        f"  of these {len(flagged)} were flagged at any time",
        "Changed, of these reached, of these flagged",
    ]
    for name in dict.fromkeys(variant.operator for variant in variants):
        counts = (sum(v.operator == name for v in group) for group in (variants, well, flagged))
        rows.append(f"  {name:30} {' '.join(f'{count:3}' for count in counts)}")
    rows.append("Flagged")
    rows += [f"  {v.operator}, {v.program}: {', '.join(v.alarms)}" for v in flagged]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=12, help="of each operator")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--operators", nargs="+", choices=BY_NAME, metavar="NAME", default=list(BY_NAME),
        help="all if not given",
    )  # fmt: skip
    arguments = parser.parse_args()
    variants: list[Variant] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for name in arguments.operators:
            made = first_that_hold(
                [case.name for case in HEALTHY], BY_NAME[name], arguments.programs,
                partial(pool.submit, train, name), lambda variant: variant is not None,
            )  # fmt: skip
            for variant in filter(None, made):
                variants.append(variant)
                said = ", ".join(variant.alarms) or "nothing"
                print(f"{name}, {variant.program}: {variant.reached}, said {said}", flush=True)
    table = report(variants)
    print(table)
    if arguments.operators == list(BY_NAME):
        RESULTS.write_text(table + "\n")


if __name__ == "__main__":
    main()
