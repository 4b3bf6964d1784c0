"""How often the doctor is right: every program of the clinic, trained with a doctor.

A faulty program counts as flagged if a warning stands at the end (one whose fault shows in some
seeds only counts as healthy where it reaches its goal), and as rightly diagnosed if the
first diagnosis is one that an expert accepts. A healthy one is a false alarm if a warning was given
at any time. In the same trainings the rules of other tools run beside, in a simple form (peers.py).
The figures of the cases for setting thresholds and of those only for judging are given apart.

    python benchmarks/clinic/judge.py [--cases NAME ...] [--seeds 3] [--processes 2] [--unseen]
        [--record FOLDER]

Writes results/clinic.txt if all cases are run. ``--record`` keeps what the rules were given, for
thresholds.py. ``--unseen`` is for new cases, written by one who has not looked at the rules and
judged before any rule was changed for them: it adds to results/clinic_unseen.txt.
"""

import argparse
import contextlib
import io
import logging
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from all_cases import CASES, named
from peers import PeerRules
from recordings import Recording, RecordingDoctor

sys.path.append(str(Path(__file__).parents[1]))
from timing import be_quiet, machine

RESULTS = Path(__file__).parents[1] / "results" / "clinic.txt"
QUIET = ("lightning.pytorch", "lightning.fabric", "torchvitals.callbacks")


@dataclass(frozen=True)
class Visit:
    """One training with its doctor."""

    name: str
    split: str
    seed: int
    accepted: tuple[str, ...]
    diagnoses: tuple[str, ...]
    alarms: tuple[str, ...]
    when: float
    step: float
    score: float
    peers: dict[str, bool]

    @property
    def faulty(self) -> bool:
        return bool(self.accepted)

    @property
    def flagged(self) -> bool:
        return bool(self.diagnoses if self.faulty else self.alarms)

    @property
    def right(self) -> bool:
        return bool(self.diagnoses) and self.diagnoses[0] in self.accepted


def visit(name: str, seed: int, record: Path | None = None) -> Visit:
    """Train a program and ask its doctor."""
    be_quiet()
    for logger in QUIET:
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    (case,) = named([name])
    doctor, peers = RecordingDoctor(), PeerRules()
    program = case.train(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer = program.fit([doctor, peers])
    score = program.score()
    # A fault that shows in some seeds only is none in the others.
    accepted = () if case.sometimes and case.goal.reached(score) else case.problems
    if doctor.failed:
        raise RuntimeError(f"the doctor switched itself off in {name}, seed {seed}")
    if record is not None:
        Recording(name, seed, accepted, doctor.reports).keep(record)
    standing = [d for d in doctor.diagnoses if d.severity != "info"]
    said = [d for d in doctor.announced if d.severity != "info"]
    return Visit(
        name, case.split, seed, accepted,
        tuple(d.problem.value for d in standing), tuple(d.problem.value for d in said),
        standing[0].step / max(1, trainer.global_step) if standing else float("nan"),
        standing[0].step if standing else float("nan"),
        score,
        {tool: bool(found) for tool, found in peers.said.items()},
    )  # fmt: skip


def figures(visits: Sequence[Visit]) -> list[str]:
    """Rates of the doctor and of the peers."""
    faulty = [v for v in visits if v.faulty]
    healthy = [v for v in visits if not v.faulty]
    if not faulty or not healthy:
        return ["  too few cases for rates"]
    when = [v.when for v in faulty if v.right]
    rows = [
        f"  {len(faulty)} faulty and {len(healthy)} healthy trainings",
        f"  {'':16} {'flagged':>8} {'false alarms':>13} {'balanced accuracy':>18} {'right':>7}",
        _rates("doctor", [v.flagged for v in faulty], [v.flagged for v in healthy])
        + f" {_share(v.right for v in faulty):>7}",
    ]
    for tool in faulty[0].peers:
        rows.append(_rates(tool, [v.peers[tool] for v in faulty], [v.peers[tool] for v in healthy]))
    if when:
        rows.append(
            f"  right diagnoses stand after {statistics.median(when):.0%} of the steps (median)"
        )
    return rows


def _rates(who: str, flagged: Sequence[bool], alarms: Sequence[bool]) -> str:
    sensitivity, alarm = sum(flagged) / len(flagged), sum(alarms) / len(alarms)
    balanced = (sensitivity + 1 - alarm) / 2
    return f"  {who:16} {sensitivity:>8.1%} {alarm:>13.1%} {balanced:>18.3f}"


def _share(flags: object) -> str:
    values = list(flags)  # type: ignore[call-overload]
    return f"{sum(values) / len(values):.1%}"


def confusion(visits: Sequence[Visit]) -> list[str]:
    """For each problem how its programs were diagnosed first, and the median step of the right."""
    rows = []
    for problem in sorted({v.accepted[0] for v in visits if v.faulty}):
        mine = [v for v in visits if v.faulty and v.accepted[0] == problem]
        said = Counter(v.diagnoses[0] if v.diagnoses else "nothing" for v in mine)
        right = sum(v.right for v in mine)
        listed = ", ".join(f"{name} {count}" for name, count in said.most_common())
        steps = [v.step for v in mine if v.right]
        after = f"after {statistics.median(steps):4.0f} steps" if steps else ""
        rows.append(f"  {problem:24} {right:3} of {len(mine):3} right {after:16}: {listed}")
    return rows


def missed(visits: Sequence[Visit]) -> list[str]:
    """The trainings that the doctor got wrong."""
    rows = []
    for v in visits:
        if v.faulty and not v.right:
            said = ", ".join(v.diagnoses) or "nothing"
            rows.append(f"  {v.name}, seed {v.seed}: {v.accepted[0]}, said {said}")
        elif not v.faulty and v.flagged:
            rows.append(f"  {v.name}, seed {v.seed}: healthy, said {', '.join(v.alarms)}")
    return rows


def report(visits: Sequence[Visit], seeds: int, *, unseen: bool) -> str:
    """The whole table."""
    lines = [f"{machine('cpu')}; seeds 0 to {seeds - 1}"]
    if unseen:
        lines += ["New cases, before any rule was changed for them", *figures(visits)]
    for split in () if unseen else ("judging", "setting"):
        of_split = [v for v in visits if v.split == split]
        lines += [f"Cases for {split}", *figures(of_split)]
    lines += ["First diagnosis by problem", *confusion(visits)]
    return "\n".join([*lines, "Not right", *missed(visits)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", nargs="*", default=[], help="names; all cases if none")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--record", type=Path, help="folder for what the rules are given")
    parser.add_argument("--unseen", action="store_true", help="keep it as that of new cases")
    arguments = parser.parse_args()
    names = [case.name for case in named(arguments.cases)]
    jobs = [(name, seed) for name in names for seed in range(arguments.seeds)]
    visits = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        train = partial(visit, record=arguments.record)
        for found in pool.map(train, *zip(*jobs, strict=True)):
            visits.append(found)
            said = ", ".join(found.diagnoses if found.faulty else found.alarms) or "nothing"
            label = found.accepted[0] if found.faulty else "healthy"
            print(f"{found.name}, seed {found.seed}: {label}, said {said}", flush=True)
    table = report(visits, arguments.seeds, unseen=arguments.unseen)
    print(table)
    if arguments.unseen:
        with RESULTS.with_stem("clinic_unseen").open("a") as results:
            results.write(table + "\n")
    elif len(names) == len(CASES):
        RESULTS.write_text(table + "\n")


if __name__ == "__main__":
    main()
