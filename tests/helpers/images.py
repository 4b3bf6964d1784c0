"""Data sets of images, written by the tests."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy
from PIL import Image

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def write_idx(path: Path, values: numpy.ndarray, *, compress: bool = False) -> Path:
    content = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    content += values.astype(numpy.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if compress else content)
    return path


def write_mnist(folder: Path, *, train: int = 40, test: int = 20, compress: bool = False) -> None:
    draw = numpy.random.default_rng(0)
    end = ".gz" if compress else ""
    for start, count in (("train", train), ("t10k", test)):
        images = draw.integers(0, 256, (count, 28, 28))
        write_idx(folder / f"{start}-images-idx3-ubyte{end}", images, compress=compress)
        labels = numpy.arange(count) % 10
        write_idx(folder / f"{start}-labels-idx1-ubyte{end}", labels, compress=compress)


def write_cifar(folder: Path, *, count: int = 20) -> dict[str, numpy.ndarray]:
    """The files of CIFAR-10 in Python's own format, each of ``count`` images."""
    draw, written = numpy.random.default_rng(0), {}
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        written[name] = draw.integers(0, 256, (count, 3072)).astype(numpy.uint8)
        batch = {"data": written[name], "labels": [i % 10 for i in range(count)]}
        (folder / name).write_bytes(pickle.dumps(batch))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [*names, "truck"]}))
    return written


def write_images(folder: Path, classes: dict[str, int], *, size=(9, 7), color=True, seed=0) -> None:
    """PNG files by class; ``size`` is width and height."""
    draw = numpy.random.default_rng(seed)
    for name, count in classes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for place in range(count):
            shape = (size[1], size[0], 3) if color else (size[1], size[0])
            pixels = draw.integers(0, 256, shape).astype(numpy.uint8)
            Image.fromarray(pixels).save(folder / name / f"{place:03}.png")
