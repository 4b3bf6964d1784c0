"""Read a data set that the user has named or passed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..streaming.streamed_set import StreamedSet
from .arrays import read_arrays
from .folders import read_folder
from .idx_sets import IDX_SETS, find_idx_files, read_idx_set
from .labelled_images import LabelledImages
from .stored_images import StoredImages
from .torchvision_sets import (
    download_torchvision_set,
    find_torchvision_class,
    read_torchvision_set,
)

_DIGITS, _FOLDER = "digits", "folder"


def checked_dataset(dataset: Any) -> str | LabelledImages | StreamedSet:
    """Check the name of a data set, or read one that is in memory.

    Args:
        dataset: ``"digits"``, ``"folder"``, the name of a torchvision data set, a `StreamedSet`,
            or what `read_arrays` accepts.

    Raises:
        ValueError: If a name is unknown, or arrays are not images and labels.
        TypeError: If it is something else.
    """
    if isinstance(dataset, StreamedSet):
        return dataset
    if not isinstance(dataset, str):
        return read_arrays(dataset)
    if dataset not in (_DIGITS, _FOLDER):
        find_torchvision_class(dataset)
    return dataset


def download_images(
    dataset: str | LabelledImages | StreamedSet, data_dir: Path, options: Mapping[str, Any]
) -> None:
    """Download a torchvision data set that is not on disk; others need no download.

    Args:
        dataset: From `checked_dataset`.
        data_dir: Folder to download to.
        options: Further arguments of the torchvision class.
    """
    if not isinstance(dataset, str) or dataset in (_DIGITS, _FOLDER):
        return
    kind = find_torchvision_class(dataset)
    if kind.__name__ in IDX_SETS and find_idx_files(kind.__name__, data_dir):
        return
    download_torchvision_set(kind, data_dir, options)


def read_images(
    dataset: str | LabelledImages,
    data_dir: Path,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> LabelledImages:
    """Read a data set that is in memory or on disk.

    Args:
        dataset: From `checked_dataset`.
        data_dir: Folder of the files.
        image_size: Height and width of images that are decoded from files; those in memory keep
            theirs.
        channels: Number of channels of images that are decoded from files; images in memory are
            converted to fewer channels if necessary.
        options: Further arguments of the torchvision class.
    """
    if dataset == _FOLDER:
        return read_folder(data_dir, image_size=image_size, channels=channels)
    if not isinstance(dataset, str):
        data = dataset
    elif dataset == _DIGITS:
        data = _read_digits()
    else:
        kind = find_torchvision_class(dataset)
        files = find_idx_files(kind.__name__, data_dir) if kind.__name__ in IDX_SETS else None
        data = (
            read_idx_set(files, kind.classes)
            if files
            else read_torchvision_set(
                kind, data_dir, options or {}, image_size=image_size, channels=channels
            )
        )
    if channels and isinstance(data.images, StoredImages):
        return replace(data, images=data.images.with_channels(channels))
    return data


def _read_digits() -> LabelledImages:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(images).float().reshape(-1, 1, 8, 8) / 16
    names = tuple(str(digit) for digit in range(10))
    return LabelledImages(StoredImages(pixels), torch.from_numpy(labels).long(), names)
