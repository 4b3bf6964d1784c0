"""Are the labels of the clinic true? Every program is run, and every remedy.

A faulty label holds if the program misses its goal in most seeds (in some, where the case says so)
and the cured one reaches it in all; a healthy label holds if the program reaches its goal in all.

    python benchmarks/clinic/verify.py [--cases NAME ... | --missing] [--seeds 3] [--processes 1]

The rows of the cases that are run replace theirs in results/clinic_labels.txt; ``--missing`` runs
those that have no row there yet, or one that does not hold.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from all_cases import CASES, named
from case import Case

sys.path.append(str(Path(__file__).parents[1]))
from timing import be_quiet, machine

RESULTS = Path(__file__).parents[1] / "results" / "clinic_labels.txt"
HEAD = f"{'case':42} {'':6} {'goal':24} {'scores (* missed)':36} {'seconds':>8}  label"


def scores(case: Case, seeds: int, cured: bool = False) -> list[float]:
    found = []
    for seed in range(seeds):
        program = case.cure(seed) if cured else case.train(seed)
        program.fit()
        found.append(program.score())
    return found


def holds(case: Case, found: list[float], cured: list[float]) -> bool:
    """Whether the scores are those that the label promises."""
    reached = [case.goal.reached(score) for score in found]
    if not case.problems:
        return all(reached)
    missed = len(reached) - sum(reached)
    enough = missed > 0 if case.sometimes else 2 * missed > len(reached)
    return enough and all(map(case.goal.reached, cured))


def row(case: Case, kind: str, found: list[float], seconds: float) -> str:
    marked = [f"{s:.3g}{'' if case.goal.reached(s) else '*'}" for s in found]
    goal = str(case.goal)
    return f"{case.name:42} {kind:6} {goal:24} {' '.join(marked):36} {seconds / len(found):8.1f}"


def examine(name: str, seeds: int) -> tuple[str, bool]:
    """The lines of one case, and whether its label holds."""
    be_quiet()
    (case,) = named([name])
    start = time.process_time()
    found = scores(case, seeds)
    middle = time.process_time()
    cured = scores(case, seeds, cured=True) if case.problems else []
    end = time.process_time()
    verdict = holds(case, found, cured)
    kind = "faulty" if case.problems else ""
    lines = [f"{row(case, kind, found, middle - start)}  {'holds' if verdict else 'DOES NOT HOLD'}"]
    if cured:
        lines.append(row(case, "cured", cured, end - middle))
    return "\n".join(lines), verdict


def known_rows() -> dict[str, list[str]]:
    """The rows of an earlier run, by case."""
    rows: dict[str, list[str]] = {}
    names = {case.name for case in CASES}
    for line in RESULTS.read_text().splitlines() if RESULTS.exists() else ():
        name = line.split(" ")[0]
        if name in names:
            rows.setdefault(name, []).append(line)
    return rows


def write(rows: dict[str, list[str]]) -> None:
    """All rows, in the order of the cases."""
    lines = [f"{machine('cpu')}; seeds from 0 on, one for each score", HEAD]
    lines += [line for case in CASES for line in rows.get(case.name, ())]
    held = sum(line.endswith(" holds") for line in lines)
    lines.append(f"{held} of {len(rows)} labels hold; the clinic has {len(CASES)} cases")
    RESULTS.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", nargs="*", default=[], help="names; all cases if none")
    parser.add_argument("--missing", action="store_true", help="those that no row says hold")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    names = [case.name for case in named(arguments.cases)]
    if arguments.missing:
        held = [name for name, rows in known_rows().items() if rows[0].endswith(" holds")]
        names = [name for name in names if name not in held]
    print(HEAD, flush=True)
    verdicts = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        jobs = {pool.submit(examine, name, arguments.seeds): name for name in names}
        for job in as_completed(jobs):
            text, verdict = job.result()
            print(text, flush=True)
            verdicts.append(verdict)
            write({**known_rows(), jobs[job]: text.splitlines()})
    print(f"{sum(verdicts)} of {len(verdicts)} labels hold")
    sys.exit(not all(verdicts))


if __name__ == "__main__":
    main()
