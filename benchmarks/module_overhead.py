"""What a training step costs beside the network's own work.

The same network, batches and optimiser, trained by a bare loop of torch, by a Trainer whose module
logs nothing, by ours, and by the usual recipe (accuracy updated, loss and accuracy logged each
step). All in one process and one thread, the candidates taking turns; the end of the epoch, with
its metrics, is counted in.

    python benchmarks/module_overhead.py [--rounds 15] [--steps 300] [--device cpu]
"""

import argparse
import gc
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from timing import be_quiet, machine, now
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import Accuracy

from torchvitals.lightning_modules import Classifier

CLASSES, BATCH = 10, 128
Batches = DataLoader[tuple[Tensor, Tensor]]


def mlp() -> tuple[nn.Module, tuple[int, ...]]:
    """MLP, 784-256-256-10."""
    layers = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)]
    return nn.Sequential(*layers), (784,)


def conv_net() -> tuple[nn.Module, tuple[int, ...]]:
    """Two convolutions of 16 and 32 channels on 16x16 images."""
    layers = [
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, CLASSES),
    ]
    return nn.Sequential(*layers), (1, 16, 16)


class Quiet(LightningModule):
    """The least that the Trainer can train."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self.network(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Usual(Quiet):
    """The usual recipe: metrics updated and logged in each step."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.accuracy = Accuracy("multiclass", num_classes=CLASSES)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.network(x)
        loss = nn.functional.cross_entropy(logits, y)
        self.accuracy(logits, y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("train_accuracy", self.accuracy, on_step=True, on_epoch=True)
        return loss


def bare_loop(network: nn.Module, batches: Batches, device: str) -> float:
    network.to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    start = now(device)
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return now(device) - start


def by_trainer(module: LightningModule, batches: Batches, device: str) -> float:
    trainer = Trainer(
        max_epochs=1,
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    seen: list[float] = []
    module.on_train_start = lambda: seen.append(now(device))  # type: ignore[method-assign]
    module.on_train_end = lambda: seen.append(now(device))  # type: ignore[method-assign]
    trainer.fit(module, batches)
    return seen[1] - seen[0]


CANDIDATES: dict[str, Callable[[nn.Module, Batches, str], float]] = {
    "bare loop": bare_loop,
    "Trainer, no logging": lambda n, b, d: by_trainer(Quiet(n), b, d),
    "torchvitals Classifier": lambda n, b, d: by_trainer(Classifier(n, CLASSES), b, d),
    "usual recipe": lambda n, b, d: by_trainer(Usual(n), b, d),
}


def measure(
    make: Callable[[], tuple[nn.Module, tuple[int, ...]]], rounds: int, steps: int, device: str
) -> list[str]:
    _, shape = make()
    batches = DataLoader(
        [
            (
                torch.randn(BATCH, *shape, device=device),
                torch.randint(CLASSES, (BATCH,), device=device),
            )
            for _ in range(steps)
        ],  # type: ignore[arg-type]
        batch_size=None,
    )
    times: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for turn in range(rounds + 1):
        for name, run in CANDIDATES.items():
            gc.collect()
            seconds = run(make()[0], batches, device) / steps
            if turn:  # the first warms up
                times[name].append(seconds)
    quiet = times["Trainer, no logging"]
    lines = [f"{make.__doc__} batch {BATCH}, {steps} steps, {rounds} rounds"]
    for name, found in times.items():
        ratios = [a / b for a, b in zip(found, quiet, strict=True)]
        lines.append(
            f"  {name:24} {statistics.median(found) * 1e6:8.0f} us/step (least "
            f"{min(found) * 1e6:6.0f})   {statistics.median(ratios):5.3f} x the quiet Trainer "
            f"(of the least: {min(found) / min(quiet):5.3f})"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    be_quiet()
    lines = [machine(arguments.device)]
    for make in (mlp, conv_net):
        lines += measure(make, arguments.rounds, arguments.steps, arguments.device)
    text = "\n".join(lines)
    print(text)
    results = Path(__file__).with_name("results")
    (results / f"module_overhead_{arguments.device}.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
