"""Advice on where to put which files of a torchvision data set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .idx_sets import IDX_SETS

# Their files are in `root` itself, or are unpacked there.
_IN_ROOT = ("CIFAR10", "CIFAR100", "SVHN", "STL10", "USPS", "SEMEION")


def reason_of(error: Exception) -> str:
    """Return torchvision's message, without its advice.

    Example:
        >>> reason_of(RuntimeError("Dataset not found. You can use download=True to download it"))
        'Dataset not found'
    """
    return " ".join(str(error).split(" You can ")[0].split()).rstrip(". ")


def advice(kind: Any, data_dir: Path) -> str:
    """Say which files to put where, from the sources that the torchvision class names.

    Args:
        kind: Torchvision class.
        data_dir: Its ``root``.
    """
    name = kind.__name__
    if name in IDX_SETS:
        files = ", ".join(file for file, _ in kind.resources)
        return f"put {files} into {data_dir / name / 'raw'} or {data_dir}, compressed or not."
    sources = sorted({url for member in dir(kind) for url in _urls(getattr(kind, member))})
    fetched = f"download {', '.join(sources)}" if sources else "download its files"
    if name not in _IN_ROOT:
        return (
            f"{fetched} and place it as documented for torchvision.datasets.{name}, "
            f"where `root` is {data_dir}."
        )
    packed = any(url.endswith((".gz", ".tgz")) for url in sources)
    return f"{fetched} and {'unpack it in' if packed else 'put it into'} {data_dir}."


def _urls(value: Any) -> Iterator[str]:
    """Yield the URLs of files from a class attribute of any kind."""
    if isinstance(value, str):
        if value.startswith(("http://", "https://")) and "." in value.rsplit("/", 1)[-1]:
            yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key != "extra":  # SVHN's third split, which is not read
                yield from _urls(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _urls(entry)
