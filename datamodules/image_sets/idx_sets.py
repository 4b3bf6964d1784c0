"""MNIST and similar data sets, from IDX files in any of the usual folders."""

from pathlib import Path

import torch
from torch import Tensor

from .idx import read_idx
from .labelled_images import LabelledImages, consecutive_parts, numbered_names
from .stored_images import StoredImages

IDX_SETS = ("MNIST", "FashionMNIST", "KMNIST")
_PARTS = {"train": "train", "test": "t10k"}
# Where the Debian package dataset-fashion-mnist puts its files.
_INSTALLED = {"FashionMNIST": Path("/usr/share/datasets/fashion-mnist")}


def idx_folders(name: str, data_dir: Path) -> list[Path]:
    """Return the folders in which the files of a data set may be, torchvision's own first.

    Example:
        >>> [folder.as_posix() for folder in idx_folders("MNIST", Path("data"))]
        ['data/MNIST/raw', 'data']
    """
    folders = [data_dir / name / "raw", data_dir]
    return folders + ([_INSTALLED[name]] if name in _INSTALLED else [])


def find_idx_files(name: str, data_dir: Path) -> dict[str, tuple[Path, Path]] | None:
    """Find the files of images and labels by split, compressed or not; None if one is missing.

    Args:
        name: One of ``IDX_SETS``.
        data_dir: Folder that the user passed.
    """
    for folder in idx_folders(name, data_dir):
        found = {
            part: (
                _find(folder, f"{start}-images-idx3-ubyte"),
                _find(folder, f"{start}-labels-idx1-ubyte"),
            )
            for part, start in _PARTS.items()
        }
        complete = {
            part: (images, labels) for part, (images, labels) in found.items() if images and labels
        }
        if len(complete) == len(_PARTS):
            return complete
    return None


def read_idx_set(files: dict[str, tuple[Path, Path]], class_names: list[str]) -> LabelledImages:
    """Read images, labels and splits of a data set in IDX files.

    Args:
        files: Files of images and labels, by split.
        class_names: In the order of the class indices.

    Raises:
        ValueError: If a file is incomplete, or two do not belong together.
    """
    images: dict[str, Tensor] = {}
    labels: dict[str, Tensor] = {}
    for part, (image_file, label_file) in files.items():
        images[part], labels[part] = read_idx(image_file, 3), read_idx(label_file, 1).long()
        if len(images[part]) != len(labels[part]):
            raise ValueError(
                f"Expected one label for each image, but {image_file} holds {len(images[part])} "
                f"images and {label_file} {len(labels[part])} labels. Use files that belong "
                "together."
            )
    together = torch.cat(list(labels.values()))
    return LabelledImages(
        StoredImages(torch.cat(list(images.values()))[:, None]),
        together,
        numbered_names(class_names, together),
        consecutive_parts({part: len(values) for part, values in labels.items()}),
    )


def _find(folder: Path, name: str) -> Path | None:
    dotted = name.replace("-idx", ".idx")
    for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    return None
