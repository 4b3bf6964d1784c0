"""A folder of images for each class."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from ..loading import visible_entries, visible_files
from .decoder_choice import choose_decoder
from .image_decoder import read_header
from .image_files import ImageFiles
from .labelled_images import LabelledImages, consecutive_parts

_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
)
_PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def read_folder(
    folder: Path, *, image_size: tuple[int, int] | None = None, channels: int | None = None
) -> LabelledImages:
    """Read images by class from ``folder/class/*``, or from ``folder/train/class/*`` etc.

    Class names are the sorted folder names of all splits together. Images may be in subfolders of a
    class, also in linked ones, except for links to a folder that they are in. Hidden files and
    folders, and files without the suffix of an image, are skipped. A class without images keeps its
    index, with a warning.

    Args:
        folder: Contains a folder for each class, or ``train`` and optionally ``val`` and ``test``.
        image_size: Height and width to resize and crop each image to; None expects one size.
        channels: 1, 3 or 4; None uses 1 if no image is in colour, or else 3.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are no classes or no images, or sizes differ without ``image_size``.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Expected `data_dir` to contain a folder of images for each class, but "
            f"there is no folder {folder.absolute()}. Put the images there or set `data_dir`."
        )
    roots = _part_folders(folder)
    classes = {part: _class_folders(root) for part, root in roots.items()}
    names = sorted({name for found in classes.values() for name in found})
    paths: list[Path] = []
    labels: list[int] = []
    lengths: dict[str, int] = {}
    for part, found in classes.items():
        start = len(paths)
        for label, name in enumerate(names):
            members = sorted(_images_in(found[name])) if name in found else []
            paths += members
            labels += [label] * len(members)
        lengths[part] = len(paths) - start
        if not lengths[part]:
            raise ValueError(
                f"Expected images in the class folders of {roots[part]}, but found none that end "
                f"in {', '.join(sorted(_SUFFIXES))}."
            )
    _warn_of_empty(names, labels, folder)
    decoder = choose_decoder(
        len(paths), lambda i: read_header(paths[i]), image_size=image_size, channels=channels
    )
    return LabelledImages(
        ImageFiles(paths, decoder),
        torch.tensor(labels),
        tuple(names),
        consecutive_parts(lengths),
    )


def _part_folders(folder: Path) -> dict[str, Path]:
    """Return the folders of the splits; the folder itself if it has none for training."""
    names = {entry.name.lower(): entry for entry in visible_entries(folder) if entry.is_dir()}
    parts = {
        part: names[spelling]
        for part, spellings in _PARTS.items()
        for spelling in spellings
        if spelling in names
    }
    if "train" not in parts:
        return {"train": folder}
    others = sorted(entry.name for entry in names.values() if entry not in parts.values())
    if others:
        raise ValueError(
            f"Expected {folder} to contain either splits or classes, but besides "
            f"{parts['train'].name!r} there is {', '.join(map(repr, others[:5]))}. Move them out, "
            "or rename the class."
        )
    return parts


def _class_folders(folder: Path) -> dict[str, Path]:
    found = {entry.name: entry for entry in visible_entries(folder) if entry.is_dir()}
    if not found:
        loose = sum(1 for entry in visible_entries(folder) if entry.suffix.lower() in _SUFFIXES)
        raise ValueError(
            f"Expected {folder} to contain a folder of images for each class, but got {loose} "
            "images and no folder. Move the images of each class into a folder with its name."
        )
    return found


def _images_in(folder: Path) -> Iterator[Path]:
    return (path for path in visible_files(folder) if path.suffix.lower() in _SUFFIXES)


def _warn_of_empty(names: list[str], labels: list[int], folder: Path) -> None:
    held = set(labels)
    empty = [name for label, name in enumerate(names) if label not in held]
    if empty:
        warnings.warn(
            f"No images in the class folders {', '.join(map(repr, empty))} of {folder}: the "
            "classes are kept, with a count of 0. Remove the folders if that is not intended.",
            stacklevel=2,
        )
