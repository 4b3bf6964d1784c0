"""How much hangs on each threshold of the rules.

Each number by which the rules and the vital signs judge is moved by 30% up and down, one at a time:
a share over a half by its distance from 1, a count below 20 by one, and the reports in a row that
each rule asks for by one. The trainings that were recorded are judged again with it. A threshold
that was fitted to single programs would show by the verdicts that change.

    python benchmarks/clinic/judge.py --record recordings
    python benchmarks/clinic/thresholds.py recordings [--processes 2]

Writes results/clinic_thresholds.txt if all cases were recorded. Recordings are pickles: read only
your own.
"""

import argparse
import pickle
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import NamedTuple

from all_cases import CASES
from recordings import Recording, kept_in

from torchvitals.callbacks.diagnosing import history
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import RULES, symptom_of
from torchvitals.callbacks.diagnosing.symptom import Symptom
from torchvitals.callbacks.diagnosing.vital_signs import loss_signs, signs, validation_signs, vitals
from torchvitals.callbacks.diagnosing.vital_signs.levels import Gain, UpdateRatio

sys.path.append(str(Path(__file__).parents[1]))
from timing import machine

RESULTS = Path(__file__).parents[1] / "results" / "clinic_thresholds.txt"
FACTOR, A_COUNT, REPORTS = 1.3, 20, "reports in a row"
# Of each rule, what it finds at each report.
Findings = dict[ModuleType, list[Symptom | None]]


def files_of(rule: ModuleType) -> list[ModuleType]:
    """The rule itself, or the files of its folder."""
    if not hasattr(rule, "__path__"):
        return [rule]
    names = [file.name for file in iter_modules(rule.__path__, f"{rule.__name__}.")]
    return [import_module(name) for name in names]


RULE_OF = {file: rule for rule in RULES for file in files_of(rule)}
# And two classes, whose levels several rules share.
MODULES = (*RULE_OF, vitals, loss_signs, validation_signs, signs, history, Gain, UpdateRatio)


class Move(NamedTuple):
    """A threshold, or a rule's reports in a row, and where it is moved to or by how many."""

    module: str
    name: str
    value: float
    moved: float

    def __str__(self) -> str:
        if self.name == REPORTS:
            return f"{self.module}: {self.name} {self.moved:+g}"
        return f"{self.module}: {self.name} {self.value:g} -> {self.moved:.3g}"


def moves() -> list[Move]:
    """Each threshold, moved both ways; then each rule's patience."""
    found = []
    for module in MODULES:
        for name, value in vars(module).items():
            if re.fullmatch(r"_?[A-Z][A-Z0-9_]*", name) and type(value) in (int, float):
                title = _title(module)
                found += [Move(title, name, value, other) for other in both_ways(value)]
    patience = [Move(_title(rule), REPORTS, 0, change) for rule in RULES for change in (-1, 1)]
    return found + patience


def both_ways(value: float) -> list[float]:
    if isinstance(value, int):
        if value < A_COUNT:
            return [max(1, value - 1), value + 1]
        return [round(value / FACTOR), round(value * FACTOR)]
    if 0.5 < value < 1:
        return [1 - (1 - value) * FACTOR, 1 - (1 - value) / FACTOR]
    return [value / FACTOR, value * FACTOR]


def _title(module: ModuleType | type) -> str:
    """Its name; for a file of a rule's folder, after that of the folder."""
    _, _, name = module.__name__.partition(".rules.")
    return name or module.__name__.rpartition(".")[2]


@contextmanager
def moved(module: ModuleType | type, move: Move) -> Iterator[None]:
    setattr(module, move.name, move.moved)
    try:
        yield
    finally:
        setattr(module, move.name, move.value)


class Judged:
    """A recording that is judged, by the rules as they are and as they might be."""

    def __init__(self, recording: Recording, seen: Sequence[vitals.Vitals]) -> None:
        self.recording, self.signs = recording, seen
        self.poor = [seen.is_poor for seen in self.signs]
        self.findings = {rule: self._found_by(rule) for rule in RULES}
        self.verdict = self._verdict(self.findings)

    def _found_by(self, rule: ModuleType) -> list[Symptom | None]:
        return [symptom_of(rule, seen) for seen in self.signs]

    def _verdict(self, findings: Findings) -> str:
        record = history.History()
        for i, report in enumerate(self.recording.reports):
            found = [findings[rule][i] for rule in RULES]
            seen, poor = self.signs[i], self.poor[i]
            symptoms = join_causes([symptom for symptom in found if symptom is not None])
            record.report(symptoms, seen.step, seen.epoch, interval=report.interval, is_poor=poor)
        if not self.recording.accepted:
            return "false alarm" if any(d.severity != "info" for d in record.announced) else "well"
        standing = [d.problem.value for d in record.diagnoses if d.severity != "info"]
        if not standing:
            return "missed"
        return "right" if standing[0] in self.recording.accepted else "flagged"

    def with_moved(self, move: Move) -> str:
        """The verdict with one threshold moved."""
        rules = {_title(rule): rule for rule in RULES}
        if move.name == REPORTS:
            rule = rules[move.module]
            return self._verdict({**self.findings, rule: self._after(rule, int(move.moved))})
        module = {_title(each): each for each in MODULES}[move.module]
        with moved(module, move):
            if module is history:
                return self._verdict(self.findings)
            if module not in RULE_OF:
                # Copies have computed nothing yet.
                return Judged(self.recording, [replace(seen) for seen in self.signs]).verdict
            rule = RULE_OF[module]
            found = self._found_by(rule)
            if _same(found, self.findings[rule]):
                return self.verdict
            return self._verdict({**self.findings, rule: found})

    def _after(self, rule: ModuleType, more: int) -> list[Symptom | None]:
        """What a rule finds, said after so many more reports."""
        return [
            found and replace(found, reports=max(1, found.reports + more))
            for found in self.findings[rule]
        ]


def _same(a: list[Symptom | None], b: list[Symptom | None]) -> bool:
    """Whether they give the same verdict; the words do not count."""
    return [_weight(found) for found in a] == [_weight(found) for found in b]


def _weight(found: Symptom | None) -> tuple[object, ...]:
    return (found.severity, found.reports, found.is_root, found.stands_alone) if found else ()


@dataclass(frozen=True)
class Outcome:
    """The verdict on a training, and what it would be with each threshold that changes it."""

    name: str
    verdict: str
    changed: dict[Move, str]


def judge(path: Path) -> Outcome:
    recording: Recording = pickle.loads(path.read_bytes())
    judged = Judged(recording, [report.vitals() for report in recording.reports])
    verdicts = {move: judged.with_moved(move) for move in moves()}
    changed = {move: said for move, said in verdicts.items() if said != judged.verdict}
    return Outcome(recording.name, judged.verdict, changed)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """How many verdicts change with each move, those with most first."""
    changes: dict[Move, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        for move, said in outcome.changed.items():
            changes[move][f"{outcome.verdict} -> {said}"] += 1
    verdicts = [outcome.verdict for outcome in outcomes]
    after = [[o.changed.get(move, o.verdict) for o in outcomes] for move in moves()]
    most = max((count.total() for count in changes.values()), default=0)
    rows = [
        f"{len(outcomes)} trainings, {len(moves())} moves; {len(changes)} of them change a verdict",
        f"  most verdicts that one move changes  {most}",
    ]
    for title, rate in (
        ("balanced accuracy", balanced),
        ("healthy trainings flagged", alarms),
        ("right", rightness),
    ):
        low, high = min(map(rate, after)), max(map(rate, after))
        rows.append(f"  {title:36} {rate(verdicts):.3f}, after a move {low:.3f} to {high:.3f}")
    ordered = sorted(changes.items(), key=lambda item: (-item[1].total(), item[0]))
    for move, kinds in ordered:
        listed = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        rows.append(f"  {move!s:60} {listed}")
    return rows


def alarms(verdicts: Sequence[str]) -> float:
    healthy = [verdict for verdict in verdicts if verdict in ("well", "false alarm")]
    return healthy.count("false alarm") / max(1, len(healthy))


def balanced(verdicts: Sequence[str]) -> float:
    faulty = [verdict for verdict in verdicts if verdict in ("right", "flagged", "missed")]
    return (2 - faulty.count("missed") / max(1, len(faulty)) - alarms(verdicts)) / 2


def rightness(verdicts: Sequence[str]) -> float:
    faulty = [verdict for verdict in verdicts if verdict in ("right", "flagged", "missed")]
    return faulty.count("right") / max(1, len(faulty))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recordings", type=Path, help="folder that judge.py --record wrote")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    paths = kept_in(arguments.recordings)
    with ProcessPoolExecutor(arguments.processes) as pool:
        outcomes = list(pool.map(judge, paths, chunksize=4))
    lines = [machine("cpu"), *table(outcomes)]
    print("\n".join(lines))
    if {outcome.name for outcome in outcomes} == {case.name for case in CASES}:
        RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
