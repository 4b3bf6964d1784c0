"""One epoch of Fashion-MNIST with standard augmentation: the usual recipe against ImageDataModule.

The same LightningModule and Trainer, batches of 512, on 60,000 images. The usual recipe is
torchvision's data set, its transforms on each image (rotation, shift and crop as in the preset
"standard", bilinear, then normalisation) and a DataLoader with 0 or 2 workers; ours is
`ImageDataModule("fashion_mnist", augment="standard")`. Reading the files is left out of both. One
thread in each process, the candidates taking turns; the least of all rounds counts. Five rounds
take about ten minutes of an idle machine; the file has the first network's figures half-way.

Needs the Fashion-MNIST files in IDX format, compressed or not.

    python benchmarks/end_to_end.py [--data-dir /usr/share/datasets/fashion-mnist] [--rounds 5]
"""

import argparse
import gzip
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from timing import be_quiet, machine
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import FashionMNIST
from torchvision.transforms import v2

from torchvitals.datamodules import ImageDataModule

BATCH, MEAN, STD = 512, 0.2860, 0.3530


class Network(LightningModule):
    """Trained alike by every candidate, and logs nothing."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self.layers(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def mlp() -> nn.Module:
    """MLP, 784-128-128-10."""
    layers = [nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)]
    return nn.Sequential(nn.Flatten(), *layers)


def conv_net() -> nn.Module:
    """Two convolutions of 16 and 32 channels, each halved."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def usual_data(root: Path) -> FashionMNIST:
    transform = v2.Compose(
        [
            v2.RandomAffine(
                10,
                translate=(0.1, 0.1),
                scale=(1.0, 1 / 0.9),
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((MEAN,), (STD,)),
        ]
    )
    return FashionMNIST(str(root), train=True, transform=transform)


def unpack(source: Path, root: Path) -> None:
    """The files where torchvision looks for them."""
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for file in source.iterdir():
        if file.suffix == ".gz":
            with gzip.open(file) as packed, (folder / file.stem).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        elif file.name.endswith("ubyte"):
            shutil.copy(file, folder)


def processor_seconds() -> float:
    """Of this process and of the workers that have ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(who) for who in whose]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def train(layers: nn.Module, data: Any) -> tuple[float, float]:
    """Seconds of the clock and of the processors that one epoch takes."""
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    torch.manual_seed(0)
    clock, processors = time.perf_counter(), processor_seconds()
    trainer.fit(Network(layers), data)
    return time.perf_counter() - clock, processor_seconds() - processors


def candidates(root: Path, data_dir: Path) -> dict[str, Callable[[], Any]]:
    usual = usual_data(root)

    def loader(workers: int) -> Iterable[Any]:
        return DataLoader(usual, BATCH, shuffle=True, num_workers=workers)

    def ours() -> ImageDataModule:
        data = ImageDataModule("fashion_mnist", data_dir, batch_size=BATCH, val_fraction=0)
        data.setup("fit")
        return data

    kept = ours()
    return {
        "torchvision, 0 workers": lambda: loader(0),
        "torchvision, 2 workers": lambda: loader(2),
        "ImageDataModule": lambda: kept,
    }


def measure(
    make: Callable[[], nn.Module], runs: dict[str, Callable[[], Any]], rounds: int
) -> list[str]:
    train(make(), runs["ImageDataModule"]())  # warms up
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, data in runs.items():
            found[name].append(train(make(), data()))
    least = {
        name: [min(column) for column in zip(*times, strict=True)] for name, times in found.items()
    }
    ours = least["ImageDataModule"]
    lines = [f"{make.__doc__} Rounds: {rounds}"]
    for name, (clock, processors) in least.items():
        lines.append(
            f"  {name:24} {clock:6.2f} s ({clock / ours[0]:5.1f} x ours), all processors together "
            f"{processors:6.2f} s ({processors / ours[1]:5.1f} x)"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    be_quiet()
    lines = [machine("cpu"), f"Fashion-MNIST, 60,000 images, batches of {BATCH}, one epoch"]
    table = Path(__file__).with_name("results") / "end_to_end_cpu.txt"
    with tempfile.TemporaryDirectory() as folder:
        unpack(arguments.data_dir, Path(folder))
        runs = candidates(Path(folder), arguments.data_dir)
        for make in (mlp, conv_net):
            lines += measure(make, runs, arguments.rounds)
            table.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
