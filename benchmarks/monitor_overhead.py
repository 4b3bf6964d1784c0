"""What monitors add to a training step, and to memory: ours and their peers', beside nothing.

The same networks, batches and optimisers, trained by the same Trainer with the same logger (W&B
offline, logging every 50 steps), and one candidate's callbacks. All in one process and one thread;
the candidates take turns, in another order in each round. A figure is that of a whole fit, from
its set-up over each epoch's start and end to the last step; what a candidate does after the last
step is given on its own. On a CPU the time is this process's, so W&B's service is not counted.
Each fit is the beginning of a training of a thousand epochs: the doctor reports 40 times in a short
training, and every 200 steps in one of 8,000 or more.

    python benchmarks/monitor_overhead.py [--device cuda] [--rounds 15] [--networks MLP ResNet-18]
        [--candidates "TrainingDoctor, defaults"] [--results overhead_mlp]

Cockpit is measured where it can be imported: with ``cockpit-for-pytorch``, ``json-tricks``,
``seaborn``, ``backpack-for-pytorch``, ``einops``, ``unfoldNd`` and ``setuptools<81`` (for
``pkg_resources``), best in a folder of their own on ``PYTHONPATH``.
"""

import argparse
import gc
import multiprocessing
import random
import resource
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import torch
from candidates import CANDIDATES, Candidate
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from peers import missing
from tasks import TASKS, Batches, Quiet, Task
from timing import be_quiet, machine, now

INTERVAL, MEMORY_FITS, PLANNED_EPOCHS = 50, 3, 1_000
ALWAYS = ("bare Trainer", "4 callbacks that do nothing")
# On a GPU all are fast enough for long fits.
ON_GPU = {"steps": 256, "epochs": 4, "rounds": 15, "rare_rounds": 5}


class Gauge(Callback):
    """Read time and memory before the candidate's first hook, and before its work at the end."""

    def __init__(self, device: str) -> None:
        self.device = device

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.start = now(self.device)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.trained, self.trained_peak = now(self.device), peak(self.device)


class Break(Callback):
    """End the training after so many epochs of those that are planned."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


@dataclass
class Fit:
    """Seconds of a step, and of the work after the last; the peak of memory in MiB after each."""

    step: float
    end: float
    peaks: tuple[float, float]


def peak(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


@contextmanager
def loggers() -> Iterator[Callable[[], Logger]]:
    """A maker of the logger that all candidates train with, in a folder that does not stay."""
    with tempfile.TemporaryDirectory() as folder:
        if missing(["wandb"]):
            yield lambda: CSVLogger(folder)
            return
        import wandb

        settings = wandb.Settings(silent=True, console="off")
        run = wandb.init(mode="offline", dir=folder, project="benchmark", settings=settings)
        yield lambda: WandbLogger(experiment=run, save_dir=folder)
        run.finish()


def fit(
    task: Task,
    candidate: Candidate,
    batches: Batches,
    logger: Logger,
    *,
    epochs: int,
    device: str,
    interval: int = INTERVAL,
) -> Fit:
    gc.collect()
    gauge, callbacks = Gauge(device), candidate.make()
    trainer = Trainer(
        max_epochs=PLANNED_EPOCHS,
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        logger=logger,
        log_every_n_steps=interval,
        callbacks=[gauge, Break(epochs), *callbacks],
        default_root_dir=logger.save_dir,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Quiet(task), batches)
    end = now(device) - gauge.trained
    if any(getattr(callback, "failed", False) for callback in callbacks):
        raise RuntimeError("a monitor switched itself off")
    step = (gauge.trained - gauge.start) / trainer.global_step
    return Fit(step, end, (gauge.trained_peak, peak(device)))


@dataclass
class Measured:
    """Fits by candidate and round, and why a candidate has none."""

    fits: dict[str, dict[int, Fit]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def warm_up(task: Task, steps: int, logger: Logger, device: str, chosen: list[str]) -> Measured:
    """Train a step with each candidate, and find out which cannot train this network."""
    found, batches = Measured(), task.batches(1, device)
    for name in chosen:
        candidate = CANDIDATES[name]
        reason = missing(candidate.needs)
        if steps < candidate.least_steps:
            reason = f"it would look at 1 step in {steps}"
        if not reason:
            try:
                fit(task, candidate, batches, logger, epochs=1, device=device, interval=1)
            except Exception as error:
                reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        if reason:
            found.skipped[name] = reason
        else:
            found.fits[name] = {}
    return found


def measure(task: Task, share: float, steps: int, device: str, chosen: list[str]) -> list[str]:
    """Times by candidate of fits of so many steps, in this share of the task's rounds."""
    rounds, rare_rounds = (max(1, round(share * n)) for n in (task.rounds, task.rare_rounds))
    shuffle = random.Random(0).shuffle
    batches = task.batches(steps // task.epochs, device)
    with loggers() as make_logger:
        measured = warm_up(task, steps, make_logger(), device, chosen)
        names = list(measured.fits)
        for turn in range(rounds):
            shuffle(names)
            for name in names:
                candidate, epochs, own = CANDIDATES[name], task.epochs, batches
                slow = candidate.cpu_steps if device == "cpu" else 0
                if turn >= (1 if slow else rare_rounds if candidate.rare else rounds):
                    continue
                if slow:
                    own, epochs = task.batches(slow, device), 1
                measured.fits[name][turn] = fit(
                    task, candidate, own, make_logger(), epochs=epochs, device=device
                )
    heading = (
        f"{task.title}: {steps} steps in {task.epochs} epochs, {rounds} rounds "
        f"({rare_rounds} for each monitor alone and for peers)"
    )
    return [heading, *time_table(measured), *skipped_lines(measured)]


def skipped_lines(measured: Measured) -> list[str]:
    return [f"  {name:35} not measured: {why}" for name, why in measured.skipped.items()]


def time_table(measured: Measured) -> list[str]:
    bare = measured.fits["bare Trainer"]
    lines = [f"  {'':35} us/step   least  x bare  of the least  ms after the last step"]
    for name in CANDIDATES:
        fits = measured.fits.get(name)
        if not fits:
            continue
        times = [found.step for found in fits.values()]
        same_rounds = [bare[turn].step for turn in fits]
        ratio = statistics.median(a / b for a, b in zip(times, same_rounds, strict=True))
        end = statistics.median(found.end - bare[turn].end for turn, found in fits.items())
        lines.append(
            f"  {name:35} {statistics.median(times) * 1e6:7.0f} "
            f"{min(times) * 1e6:7.0f} {ratio:7.3f} {min(times) / min(same_rounds):13.3f} "
            f"{end * 1e3:23.1f}"
        )
    return lines


def peaks_of(job: tuple[str, str, str]) -> tuple[float, float] | None:
    """Peaks of a fit that reports six times, or None if it fails; for a process of its own."""
    task, candidate, device = TASKS[job[0]], CANDIDATES[job[1]], job[2]
    # More than the ten steps after which copies of weights stay.
    interval, steps = (1, 1) if candidate.cpu_steps else (5, 15)
    be_quiet()
    with loggers() as make_logger:
        batches, logger = task.batches(steps, device), make_logger()
        settings = {"epochs": 2, "device": device, "interval": interval}
        try:
            return fit(task, candidate, batches, logger, **settings).peaks
        except Exception:  # the table of times says why
            return None


def memory_table(task: str, device: str, chosen: list[str]) -> list[str]:
    """Each fit in a process of its own, which ends with it; the median of three."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torchvision", "lightning.pytorch", "torchvitals.callbacks"])
    names = [name for name in chosen if CANDIDATES[name].memory]
    fits = {name: 1 if CANDIDATES[name].cpu_steps else MEMORY_FITS for name in names}
    jobs = [(task, name, device) for name in names for _ in range(fits[name])]
    with context.Pool(2, maxtasksperchild=1) as pool:
        found = pool.map(peaks_of, jobs, chunksize=1)
    peaks: dict[str, list[tuple[float, float]]] = {}
    for (_, name, _), pair in zip(jobs, found, strict=True):
        if pair is not None:
            peaks.setdefault(name, []).append(pair)
    kind = "allocated on the device" if device == "cuda" else "resident"
    lines = [f"  {f'peak of memory {kind}':35}     MiB  x bare  MiB more  MiB more after the end"]
    bare, bare_end = (statistics.median(part) for part in zip(*peaks["bare Trainer"], strict=True))
    for name, pairs in peaks.items():
        trained, end = (statistics.median(part) for part in zip(*pairs, strict=True))
        lines.append(
            f"  {name:35} {trained:7.0f} {trained / bare:7.3f} {trained - bare:9.1f} "
            f"{end - bare_end:23.1f}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=15, help="of the MLP; 15 is full")
    parser.add_argument("--steps", type=int, help="of a fit; default: by network")
    parser.add_argument("--networks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--results", default="monitor_overhead", help="name of the file of results")
    arguments = parser.parse_args()
    be_quiet()
    device = arguments.device
    chosen = [name for name in CANDIDATES if name in (*ALWAYS, *arguments.candidates)]
    lines = [f"{machine(device)}, wandb {missing(['wandb']) or version('wandb')}"]
    print(lines[0], flush=True)
    for name in arguments.networks:
        task = TASKS[name] if device == "cpu" else replace(TASKS[name], **ON_GPU)
        share, steps = arguments.rounds / 15, arguments.steps or task.steps
        found = measure(task, share, steps, device, chosen)
        found += memory_table(name, device, chosen)
        print("\n".join(found), flush=True)
        lines += found
    results = Path(__file__).with_name("results") / f"{arguments.results}_{device}.txt"
    results.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
