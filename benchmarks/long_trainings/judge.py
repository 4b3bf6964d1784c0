"""Does the doctor leave long trainings alone?

Each is trained with a doctor for thousands of steps, and counts as flagged if a warning or worse
was given at any time.

    python benchmarks/long_trainings/judge.py [--trainings WORD ...] [--seed 0] [--processes 1]
        [--steps N]

Writes results/long_trainings.txt if all are run in full; ``--steps`` ends them early, after an
epoch at the latest, to try them out. Those on clothes need Debian's ``dataset-fashion-mnist``, and
are skipped without it.
"""

import argparse
import contextlib
import io
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer, seed_everything

sys.path.append(str(Path(__file__).parents[1]))
from batches import CLOTHES
from programs import TRAININGS, Training
from timing import be_quiet, machine, now

from torchvitals.callbacks import TrainingDoctor

RESULTS = Path(__file__).parents[1] / "results" / "long_trainings.txt"
HEAD = f"{'training':53} {'steps':>6} {'score':>8} {'goal':22} {'seconds':>7} announced"


def judge(number: int, seed: int, steps: int | None) -> tuple[str, bool, bool]:
    """The row of a training, whether it reached its goal, and whether it was flagged."""
    training = TRAININGS[number]
    be_quiet()
    logging.getLogger("torchvitals").setLevel(logging.CRITICAL)
    doctor, start = TrainingDoctor(), now("cpu")
    with contextlib.redirect_stdout(io.StringIO()):
        trainer = fit(training, doctor, seed, steps)
    if doctor.failed:
        raise RuntimeError(f"the doctor switched itself off in {training.name!r}")
    score = float(trainer.callback_metrics[training.goal.metric])
    said = [d for d in doctor.announced if d.severity != "info"]
    names = ", ".join(dict.fromkeys(f"{d.problem.value} ({d.severity})" for d in said))
    reached = training.goal.reached(score)
    line = (
        f"{training.name:53} {trainer.global_step:6} {score:8.3g}{'' if reached else '*':1} "
        f"{training.goal!s:21} {now('cpu') - start:7.0f} {names or 'nothing'}"
    )
    texts = dict.fromkeys(f"    {d.problem.value}, step {d.step}: {d.evidence}" for d in said)
    return "\n".join([line, *texts]), reached, bool(said)


def fit(training: Training, doctor: TrainingDoctor, seed: int, steps: int | None) -> Trainer:
    seed_everything(seed, verbose=False)
    module, data = training.module(), training.data()
    early: dict[str, Any] = {}
    if steps is not None:
        early = {"max_epochs": 1, "max_steps": -1}
        early |= {"limit_train_batches": steps, "val_check_interval": 1.0}
    trainer = Trainer(**{
        "accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0,
        "callbacks": [doctor], **training.trainer, **early,
    })  # fmt: skip
    trainer.fit(module, *data)
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trainings", nargs="*", default=[], help="words of their names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--steps", type=int, help="end each after so many batches, or an epoch")
    arguments = parser.parse_args()
    words = arguments.trainings
    chosen = [
        number
        for number, training in enumerate(TRAININGS)
        if not words or any(word in training.name for word in words)
        if CLOTHES.is_dir() or "clothes" not in training.name
    ]
    lines, found = [f"{machine('cpu')}; seed {arguments.seed}", HEAD], []
    print(*lines, sep="\n", flush=True)
    with ProcessPoolExecutor(arguments.processes) as pool:
        one = partial(judge, seed=arguments.seed, steps=arguments.steps)
        for row, reached, flagged in pool.map(one, chosen):
            print(row, flush=True)
            lines.append(row)
            found.append((reached, flagged))
    lines.append(
        f"{sum(reached for reached, _ in found)} of {len(found)} reached their goal (* missed); "
        f"flagged {sum(reached and flagged for reached, flagged in found)} of these, "
        f"and {sum(flagged and not reached for reached, flagged in found)} of the others"
    )
    print(lines[-1])
    if len(chosen) == len(TRAININGS) and arguments.steps is None:
        RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
