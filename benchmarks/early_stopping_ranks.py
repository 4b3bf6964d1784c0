"""What EarlyStopping adds to a batch on two ranks, where it watches a training metric.

The ranks tell each other after each batch what they have summed up, if an exception can leave a
checkpoint behind. Both are processes of one thread on this machine, which exchange by gloo. The
same module is trained, logging in the same way, without the callback, with it, and with it and
something that saves on exceptions: one after the other in the same processes, in another order in
each round. The figures are the first rank's:

- its processor's time for a batch, from the second of an epoch to the last, and the ratio to that
  without the callback: the least of all rounds;
- the time in the callback's hooks of a batch, and in those of the place that it takes in front of
  all others, the wait for the other rank included, by the clock: the least and the median of all
  batches.

    python benchmarks/early_stopping_ranks.py [--rounds 15] [--batches 200]
"""

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import OnExceptionCheckpoint
from lightning.pytorch.profilers import Profiler
from tasks import Mlp
from timing import be_quiet, machine
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC, MulticlassConfusionMatrix

from torchvitals.callbacks import EarlyStopping

SIZE, CLASSES = 128, 10


class Area(BinaryAUROC):
    """Of the first class against the others: its lists grow by 128 scores and targets a batch."""

    def update(self, logits: Tensor, targets: Tensor) -> None:
        super().update(logits[:, 0], (targets == 0).long())


class Counts(MulticlassConfusionMatrix):
    """As of 1000 classes: a million numbers, of which a batch changes up to 128."""

    def __init__(self) -> None:
        super().__init__(num_classes=1000)

    def update(self, logits: Tensor, targets: Tensor) -> None:
        super().update(logits.argmax(1) * 100 + targets, targets * 100)

    def compute(self) -> Tensor:
        return super().compute().diagonal().sum()


WAYS: dict[str, Callable[[], Metric] | None] = {
    "a mean": None,
    "a metric with lists": Area,
    "a metric of 1,000,000 numbers": Counts,
}


class Logs(LightningModule):
    """The MLP, with the loss or a metric logged over the epoch."""

    def __init__(self, metric: Metric | None) -> None:
        super().__init__()
        self.network, self.metric = Mlp(), metric

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        logits = self.network(batch[0])
        loss = functional.cross_entropy(logits, batch[1])
        if self.metric is None:
            self.log("x", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=SIZE)
        else:
            self.metric.update(logits.detach(), batch[1])
            self.log("x", self.metric, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Clock(Profiler):
    """Seconds that each batch spends in the hooks that are looked at, as Lightning calls them."""

    LOOKED_AT = re.compile(r"\[Callback\](EarlyStopping|FirstPlace).*on_train_batch_(start|end)$")

    def __init__(self) -> None:
        super().__init__()
        self.batches = [0.0]

    def start(self, action_name: str) -> None:
        if self.LOOKED_AT.match(action_name):
            self.batches[-1] -= time.perf_counter()

    def stop(self, action_name: str) -> None:
        if self.LOOKED_AT.match(action_name):
            self.batches[-1] += time.perf_counter()


class Gauge(Callback):
    """Read the processor's time where a batch begins."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.clock = Clock()

    def on_train_batch_start(self, *_: object) -> None:
        self.starts.append(time.process_time())
        self.clock.batches.append(0.0)

    @property
    def batch(self) -> float:
        return (self.starts[-1] - self.starts[1]) / (len(self.starts) - 2)


CANDIDATES: dict[str, Callable[[], list[Callback]]] = {
    "without EarlyStopping": lambda: [],
    "nothing saves on exceptions": lambda: [EarlyStopping("x", restore_best_weights=False)],
    "OnExceptionCheckpoint": lambda: [
        EarlyStopping("x", restore_best_weights=False), OnExceptionCheckpoint("unused")
    ],
}  # fmt: skip


def fit(way: str, candidate: str, batches: DataLoader) -> Gauge:
    gauge, make = Gauge(), WAYS[way]
    stopping, *saver = CANDIDATES[candidate]() or [Callback()]
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", devices=2, strategy="ddp", use_distributed_sampler=False,
        limit_val_batches=0, callbacks=[gauge, stopping, *saver], logger=False,
        enable_checkpointing=bool(saver), enable_progress_bar=False, enable_model_summary=False,
        profiler=gauge.clock,
    )  # fmt: skip
    trainer.fit(Logs(make() if make else None), batches)
    return gauge


def table(way: str, found: dict[str, list[Gauge]]) -> list[str]:
    lines = [f"{f'watching {way}':39}  us/batch  x without  us in hooks: least, median"]
    bare = min(gauge.batch for gauge in found["without EarlyStopping"])
    for name, rounds in found.items():
        batch = min(gauge.batch for gauge in rounds)
        # An epoch's first two batches are not like the others.
        hooks = [seconds for gauge in rounds for seconds in gauge.clock.batches[3:-1]]
        lines.append(
            f"  {name:37} {batch * 1e6:9.0f} {batch / bare:10.3f} "
            f"{min(hooks) * 1e6:19.0f} {statistics.median(hooks) * 1e6:7.0f}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batches", type=int, default=200)
    arguments = parser.parse_args()
    be_quiet()
    torch.manual_seed(0)
    pairs = [(torch.randn(SIZE, 784), torch.randint(CLASSES, (SIZE,))) for _ in range(8)]
    batches: DataLoader = DataLoader(
        [pairs[i % len(pairs)] for i in range(arguments.batches)],  # type: ignore[arg-type]
        batch_size=None,
    )
    lines = [f"{machine('cpu')}, 2 ranks by gloo; MLP 784-512-512-10, batch {SIZE}, Adam; "
             f"{arguments.batches} batches, {arguments.rounds} rounds"]  # fmt: skip
    shuffle = random.Random(0).shuffle
    for way in WAYS:
        found: dict[str, list[Gauge]] = {name: [] for name in CANDIDATES}
        names = list(CANDIDATES)
        for _ in range(arguments.rounds):
            shuffle(names)
            for name in names:
                found[name].append(fit(way, name, batches))
        lines += table(way, found)
    if torch.distributed.get_rank() == 0:
        print("\n".join(lines), flush=True)
        results = Path(__file__).with_name("results") / "early_stopping_ranks_cpu.txt"
        results.write_text("\n".join(lines) + "\n")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
