"""How many images a second come out of a loader, Fashion-MNIST in batches of 512.

The usual ways, ours, and the limit: a random order and a gather, with nothing around it. All in
one process and one thread, the candidates taking turns, each for an epoch, torchvision's data set
for 24 batches. With worker processes the wall clock counts, their start and whatever else the
machine does included; without, the time of this process. The images are uint8 except from
torchvision's data set, which makes them float as its users do. On a GPU, batches arrive on the
device, and data that lies there already is one more candidate; on a CPU it would be the same one.

    python benchmarks/loader.py FOLDER [--rounds 15] [--device cpu]

FOLDER has the four gz files of Fashion-MNIST (Debian: dataset-fashion-mnist, in
/usr/share/datasets/fashion-mnist). HF datasets is measured where it is installed.
"""

import argparse
import gzip
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timing import be_quiet, machine, now
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.datamodules.loading import EpochLoader, EpochSampler, IndexedTensors

BATCH = 512
Batches = Iterator[Any]


class Candidate:
    """A way to load: its batches of one epoch, and how many of them to time."""

    def __init__(
        self, start: Callable[[], Batches], batches: int | None = None, *, wall: bool = False
    ) -> None:
        self.start, self.batches, self.wall = start, batches, wall
        self.rates: list[float] = []

    def measure(self, device: str) -> None:
        """One epoch, or its first batches."""
        clock = time.perf_counter if self.wall else lambda: now(device)
        begin, images = clock(), 0
        for batch in islice(self.start(), self.batches):
            x = batch["image"] if isinstance(batch, dict) else batch[0]
            x = x.to(device, non_blocking=True)
            images += len(x)
        self.rates.append(images / (clock() - begin))


def idx(path: Path) -> Tensor:
    """Content of a gz IDX file of bytes."""
    content = gzip.decompress(path.read_bytes())
    sizes = np.frombuffer(content, ">i4", count=content[3], offset=4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    return torch.from_numpy(values.reshape(sizes).copy())


def limit(images: Tensor, labels: Tensor) -> Batches:
    for index in torch.split(torch.randperm(len(images), device=images.device), BATCH):
        yield images.index_select(0, index), labels.index_select(0, index)


def torchvision_data(folder: Path, unpacked: Path) -> Any:
    from torchvision.datasets import FashionMNIST
    from torchvision.transforms import ToTensor

    raw = unpacked / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in folder.glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return FashionMNIST(unpacked, transform=ToTensor())


def hf_data(images: Tensor, labels: Tensor, folder: Path) -> Any:
    """Images as flat lists, the fastest form of theirs that was found."""
    from datasets import Dataset, Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    pixels = List(Value("uint8"), length=images[0].numel())
    features = Features({"image": pixels, "label": Value("int64")})
    path = folder / "images.arrow"
    with ArrowWriter(features=features, path=str(path)) as writer:
        rows = {"image": list(images.flatten(1).numpy()), "label": labels.tolist()}
        writer.write_batch(rows)
        writer.finalize()
    return Dataset.from_file(str(path)).with_format("torch")


def candidates(folder: Path, unpacked: Path, device: str) -> dict[str, Candidate]:
    images = idx(folder / "train-images-idx3-ubyte.gz").unsqueeze(1)
    labels = idx(folder / "train-labels-idx1-ubyte.gz").long()
    tensors, files = TensorDataset(images, labels), torchvision_data(folder, unpacked)
    ours = IndexedTensors(images, labels)
    batches = EpochSampler(torch.arange(len(images)), BATCH, shuffle=True)
    loader = EpochLoader(ours, batches)
    plain = DataLoader(ours, BATCH, shuffle=True, collate_fn=lambda batch: batch)

    def usual(data: Any, workers: int = 0) -> Callable[[], Batches]:
        return lambda: iter(DataLoader(data, BATCH, shuffle=True, num_workers=workers))

    found = {
        "TensorDataset, DataLoader": Candidate(usual(tensors)),
        "torchvision FashionMNIST": Candidate(usual(files), 24),
        "the same, 2 workers": Candidate(usual(files, 2), wall=True),
    }
    if find_spec("datasets"):
        found["HF datasets, DataLoader"] = Candidate(usual(hf_data(images, labels, unpacked)))
    found["IndexedTensors, DataLoader"] = Candidate(lambda: iter(plain))
    found["IndexedTensors, EpochLoader"] = Candidate(lambda: iter(loader))
    if device != "cpu":
        there = EpochLoader(ours.to(device), EpochSampler(batches.members, BATCH, shuffle=True))
        found["the same, data on the device"] = Candidate(lambda: iter(there))
    on_device = images.to(device), labels.to(device)
    found["randperm and index_select"] = Candidate(lambda: limit(*on_device))
    return found


def table(found: dict[str, Candidate]) -> list[str]:
    rates = {name: candidate.rates for name, candidate in found.items()}
    first, most = next(iter(found)), list(found)[-1]
    lines = [f"{'':30}   images/s (     best)  x TensorDataset  of the limit"]
    for name, own in rates.items():
        to_first = statistics.median(a / b for a, b in zip(own, rates[first], strict=True))
        to_most = statistics.median(a / b for a, b in zip(own, rates[most], strict=True))
        lines.append(
            f"{name:30} {statistics.median(own):10,.0f} ({max(own):9,.0f}) {to_first:16.2f}"
            f"  {to_most:12.1%}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    be_quiet()
    with tempfile.TemporaryDirectory() as unpacked:
        found = candidates(arguments.folder, Path(unpacked), arguments.device)
        for turn in range(arguments.rounds + 1):
            for candidate in found.values():
                candidate.measure(arguments.device)
            if not turn:  # the first warms up
                for candidate in found.values():
                    candidate.rates.clear()
    title = f"Fashion-MNIST, batch {BATCH}, {arguments.rounds} rounds, medians"
    text = "\n".join([machine(arguments.device), title, *table(found)])
    print(text)
    results = Path(__file__).with_name("results")
    (results / f"loader_{arguments.device}.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
