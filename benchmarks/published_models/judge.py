"""Does the doctor leave healthy trainings of published models alone?

Each is trained twice from one seed, with a doctor and without. It counts as flagged if a warning
or worse was given at any time, and as identical if not a bit of the weights, the buffers and the
last validation differs.

    python benchmarks/published_models/judge.py [--models NAME ...] [--seed 0] [--steps N]

A name is that of a training or of a package. Writes results/published_models.txt if all are run to
their end.
"""

import argparse
import contextlib
import io
import logging
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from all_cases import CASES, named
from case import Case
from lightning.pytorch import Trainer
from torch import Tensor

import torchvitals
from torchvitals.callbacks import TrainingDoctor

sys.path.append(str(Path(__file__).parents[1]))
from timing import be_quiet, machine

RESULTS = Path(__file__).parents[1] / "results" / "published_models.txt"
HEAD = (
    f"{'package/model':41} {'task':24} {'steps':>5} {'score':>8} {'goal':18} "
    f"{'seconds':>7} {'bits':9} {'announced':30} worth knowing"
)


@dataclass(frozen=True)
class Verdict:
    """One training with its doctor, beside the same without."""

    case: Case
    steps: int
    score: float
    seconds: float
    identical: bool
    announced: tuple[str, ...]
    evidence: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def reached(self) -> bool:
        return self.case.goal.reached(self.score)

    @property
    def flagged(self) -> bool:
        return bool(self.announced)


def judge(case: Case, seed: int, steps: int = -1) -> Verdict:
    """Train with a doctor and without.

    Raises:
        RuntimeError: If the doctor or one of its monitors raised a warning of Python, as they do
            where they switch themselves off.
    """
    doctor = TrainingDoctor()
    start = time.process_time()
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        trainer = case.fit(seed, [doctor], steps)
    seconds = time.process_time() - start
    with warnings.catch_warnings(record=True) as usual, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        alone = case.fit(seed, steps=steps)
    # What torch's functions warn of in any training is said of the file that calls them for others.
    known = {str(w.message) for w in usual}
    complaints = unique(str(w.message) for w in warned if is_ours(w))
    if new := [text for text in complaints if text not in known]:
        raise RuntimeError(f"the doctor warned: {'; '.join(new)}")
    said = [d for d in doctor.announced if d.severity != "info"]
    return Verdict(
        case, trainer.global_step, float(trainer.callback_metrics[case.goal.metric]), seconds,
        same_bits(trainer, alone),
        unique(f"{d.problem.value} ({d.severity})" for d in said),
        unique(f"{d.problem.value}, step {d.step}: {d.evidence}" for d in said),
        unique(d.problem.value for d in doctor.announced if d.severity == "info"),
    )  # fmt: skip


def is_ours(warned: warnings.WarningMessage) -> bool:
    package = str(Path(torchvitals.__file__).parent)
    return package in warned.filename or "switched itself off" in str(warned.message)


def unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def same_bits(watched: Trainer, alone: Trainer) -> bool:
    """Whether two trainings end with the same weights, buffers and metrics of their own."""
    weights, expected = state(watched), state(alone)
    metrics = alone.callback_metrics
    return weights.keys() == expected.keys() and all(
        torch.equal(bits(found[name]), bits(value))
        for found, wanted in ((weights, expected), (watched.callback_metrics, metrics))
        for name, value in wanted.items()
    )


def state(trainer: Trainer) -> dict[str, Tensor]:
    held = trainer.lightning_module.state_dict()
    return {name: value for name, value in held.items() if isinstance(value, Tensor)}


def bits(tensor: Tensor) -> Tensor:
    """Bytes, by which not-a-numbers can be equal, too."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def row(verdict: Verdict) -> str:
    """The line of a training; what was said of it below."""
    case = verdict.case
    score = f"{verdict.score:.3g}{'' if verdict.reached else '*'}"
    line = (
        f"{case.name:41} {case.task:24} {verdict.steps:5} {score:>8} {case.goal!s:18} "
        f"{verdict.seconds:7.1f} {'identical' if verdict.identical else 'DIFFER':9} "
        f"{', '.join(verdict.announced) or 'nothing':30} {', '.join(verdict.known)}"
    )
    return "\n".join([line.rstrip(), *(f"    {text}" for text in verdict.evidence)])


def attempt(case: Case, seed: int, steps: int) -> tuple[str, Verdict | None]:
    """The row of a training, whatever becomes of it."""
    if installed(case.package) is None:
        return f"{case.name:41} skipped, {case.package} is not installed", None
    try:
        verdict = judge(case, seed, steps)
    except Exception as error:
        return f"{case.name:41} {type(error).__name__}: {' '.join(str(error).split())}", None
    return row(verdict), verdict


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def head(cases: Sequence[Case], seed: int) -> list[str]:
    packages = sorted({case.package for case in cases})
    versions = [f"{p} {v}" for p in packages if (v := installed(p)) is not None]
    return [f"{machine('cpu')}; seed {seed}", ", ".join(versions), HEAD]


def summary(cases: Sequence[Case], verdicts: Sequence[Verdict], seconds: float) -> list[str]:
    healthy = [v for v in verdicts if v.reached]
    packages = {v.case.package for v in verdicts}
    return [
        f"{len(verdicts)} of {len(cases)} trainings judged, of {len(packages)} packages",
        f"{len(healthy)} reached their goal (* missed); "
        f"flagged {sum(v.flagged for v in healthy)} of these, "
        f"and {sum(v.flagged for v in verdicts if not v.reached)} of the others",
        f"{sum(v.identical for v in verdicts)} bit-identical with and without the doctor",
        f"{seconds:.0f} s of one processor",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--models", nargs="*", default=[], help="trainings or packages; all if none"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=-1, help="of each training; all if not given")
    arguments = parser.parse_args()
    cases = named(arguments.models)
    be_quiet()
    logging.getLogger("torchvitals").setLevel(logging.CRITICAL)
    lines, verdicts = head(cases, arguments.seed), []
    print(*lines, sep="\n", flush=True)
    for case in cases:
        text, verdict = attempt(case, arguments.seed, arguments.steps)
        print(text, flush=True)
        lines.append(text)
        if verdict is not None:
            verdicts.append(verdict)
    lines += (end := summary(cases, verdicts, time.process_time()))
    print(*end, sep="\n")
    if len(cases) == len(CASES) and arguments.steps < 0:
        RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
