"""Which files of a data set of torchvision belong where."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .idx_sets import IDX_SETS

# Their files lie in `root` itself, or are unpacked there.
_IN_ROOT = ("CIFAR10", "CIFAR100", "SVHN", "STL10", "USPS", "SEMEION")


def reason_of(error: Exception) -> str:
    """What torchvision said, without its advice.

    Example:
        >>> reason_of(RuntimeError("Dataset not found. You can use download=True to download it"))
        'Dataset not found'
    """
    return " ".join(str(error).split(" You can ")[0].split()).rstrip(". ")


def advice(kind: Any, data_dir: Path) -> str:
    """Which files to put where, from the sources that torchvision's class names.

    Args:
        kind: Class of torchvision.
        data_dir: Its ``root``.
    """
    name = kind.__name__
    if name in IDX_SETS:
        files = ", ".join(file for file, _ in kind.resources)
        return f"put {files} into {data_dir / name / 'raw'} or {data_dir}, compressed or not."
    sources = sorted({url for member in dir(kind) for url in _urls(getattr(kind, member))})
    fetched = f"fetch {', '.join(sources)}" if sources else "fetch its files"
    if name not in _IN_ROOT:
        return (
            f"{fetched} and put it as the documentation of torchvision.datasets.{name} says, "
            f"where `root` is {data_dir}."
        )
    packed = any(url.endswith((".gz", ".tgz")) for url in sources)
    return f"{fetched} and {'unpack it in' if packed else 'put it into'} {data_dir}."


def _urls(value: Any) -> Iterator[str]:
    """Addresses of files, in whatever the class keeps them."""
    if isinstance(value, str):
        if value.startswith(("http://", "https://")) and "." in value.rsplit("/", 1)[-1]:
            yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key != "extra":  # SVHN's third part, which is not read
                yield from _urls(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _urls(entry)
