"""Torchvision data sets by name."""

import inspect
import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset

from .decoder_choice import choose_decoder
from .image_decoder import header_of
from .image_source import ImageSource
from .labelled_images import LabelledImages, consecutive_parts, numbered_names
from .pixel_layout import channels_first
from .stored_images import StoredImages
from .torchvision_advice import advice, reason_of
from .torchvision_images import TorchvisionImages

# What torchvision data sets call their splits, in order of preference.
_SPLITS = {
    "train": ("train", "trainval", "train-standard"),
    "val": ("val", "valid"),
    "test": ("test",),
}
_LABELS = ("targets", "labels", "_labels", "y")
_SAMPLES = ("_samples", "samples")
_MISSING = (RuntimeError, OSError)  # what torchvision raises for missing files


def find_torchvision_class(name: str) -> Any:
    """Find the class of a torchvision data set, by any usual spelling of its name.

    Args:
        name: Such as ``"FashionMNIST"``, ``"fashion_mnist"`` or ``"cifar-10"``.

    Raises:
        ValueError: If there is no data set of this name.

    Example:
        >>> find_torchvision_class("fashion_mnist").__name__
        'FashionMNIST'
    """
    from torchvision import datasets

    known = {_plain(member): member for member in datasets.__all__ if _has_root(datasets, member)}
    if _plain(name) not in known:
        nearest = get_close_matches(_plain(name), ["digits", "folder", *known], n=1)
        hint = f" Did you mean {known.get(nearest[0], nearest[0])!r}?" if nearest else ""
        if os.path.isdir(name):
            hint = f" For a folder of images, use `ImageDataModule('folder', data_dir={name!r})`."
        raise ValueError(
            f"Expected `dataset` to be 'digits', 'folder', the name of a torchvision data set, "
            f"or images and labels, but got {name!r}.{hint}"
        )
    return getattr(datasets, known[_plain(name)])


def download_torchvision_set(kind: Any, data_dir: Path, options: Mapping[str, Any]) -> None:
    """Let torchvision download and unpack a data set.

    Args:
        kind: Torchvision class.
        data_dir: Folder to download to.
        options: Further arguments of the class.

    Raises:
        ValueError: If torchvision cannot download this data set.
        FileNotFoundError: If the download failed.
    """
    if "download" not in _parameters(kind):
        raise ValueError(
            f"Expected `download=False` for {kind.__name__}, which torchvision cannot download. "
            f"Do it manually: {advice(kind, data_dir)}"
        )
    try:
        _make_parts(kind, data_dir, {**options, "download": True})
    except _MISSING as error:
        raise FileNotFoundError(
            f"Expected to download {kind.__name__} into {data_dir}, but got: {reason_of(error)}. "
            f"Do it manually: {advice(kind, data_dir)}"
        ) from error


def read_torchvision_set(
    kind: Any,
    data_dir: Path,
    options: Mapping[str, Any],
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> LabelledImages:
    """Read a data set that is on disk.

    Args:
        kind: Torchvision class.
        data_dir: Its ``root``.
        options: Further arguments of the class.
        image_size: Height and width of images that are decoded from files; None keeps theirs.
        channels: Number of channels of images that are decoded from files; None infers it.

    Raises:
        FileNotFoundError: If it is not on disk; says which files to put where.
        ValueError: If it does not have one class for each image.
    """
    # Some torchvision classes download by default.
    offline = {"download": False} if "download" in _parameters(kind) else {}
    try:
        parts = _make_parts(kind, data_dir, {**options, **offline})
    except _MISSING as error:
        fetch = "Set `download=True`, or do it manually" if offline else "Do it manually"
        raise FileNotFoundError(
            f"Expected {kind.__name__} in {data_dir.absolute()}, but got: {reason_of(error)}. "
            f"{fetch}: {advice(kind, data_dir)}"
        ) from error
    labels = {name: _labels(dataset) for name, dataset in parts.items()}
    together = torch.cat(list(labels.values()))
    source = _stored(parts)
    if source is None:
        images: ConcatDataset[Any] = ConcatDataset(parts.values())
        decoder = choose_decoder(
            len(images),
            lambda i: header_of(images[i][0]),
            image_size=image_size,
            channels=channels,
        )
        source = TorchvisionImages(images, decoder)
    lengths = {name: len(values) for name, values in labels.items()}
    return LabelledImages(
        source,
        together,
        numbered_names(_class_names(next(iter(parts.values()))), together),
        consecutive_parts(lengths),
    )


def _has_root(datasets: Any, member: str) -> bool:
    return "root" in inspect.signature(getattr(datasets, member)).parameters


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _parameters(kind: Any) -> dict[str, bool]:
    """Return the arguments of a class besides its folder, and whether each is required.

    Those of its base class are included if it passes on further arguments.
    """
    found: dict[str, bool] = {}
    for base in inspect.getmro(kind):
        parameters = list(inspect.signature(base).parameters.values())
        rest = [p for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        for parameter in parameters:
            if parameter not in rest:
                found.setdefault(parameter.name, parameter.default is parameter.empty)
        if not rest:
            break
    found.pop("root", None)
    return found


def _make_parts(kind: Any, data_dir: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Create the data set's own splits, with the argument that selects them."""
    parameters = _parameters(kind)
    required = [name for name, needed in parameters.items() if needed and name not in options]
    if required:
        raise ValueError(
            f"Expected `dataset_options` to have {', '.join(map(repr, required))} for "
            f"{kind.__name__}, but got none."
        )
    if "train" in parameters and "train" not in options:
        return {
            name: kind(data_dir, train=name == "train", **options) for name in ("train", "test")
        }
    if "split" not in parameters or "split" in options:
        return {"all": kind(data_dir, **options)}
    parts = {}
    for name, values in _SPLITS.items():
        for value in values:
            dataset = _make_split(kind, data_dir, value, options)
            if dataset is not None:
                parts[name] = dataset
                break
    if "train" not in parts:
        raise ValueError(
            f"Expected {kind.__name__} to have a training split, but none of "
            f"{_SPLITS['train']} exists. Choose one with `dataset_options={{'split': ...}}`."
        )
    if "test" not in parts and "val" in parts:
        # A held-out split serves as the test set, whatever it is called.
        parts["test"] = parts.pop("val")
    return parts


def _make_split(kind: Any, data_dir: Path, value: str, options: Mapping[str, Any]) -> Any:
    try:
        return kind(data_dir, split=value, **options)
    except ValueError as error:
        # torchvision's own check, which comes before anything is read or downloaded.
        if "argument split" not in str(error):
            raise
        return None


def _labels(dataset: Any) -> Tensor:
    values = next((getattr(dataset, name) for name in _LABELS if hasattr(dataset, name)), None)
    if values is None:
        samples = next((getattr(dataset, n) for n in _SAMPLES if hasattr(dataset, n)), None)
        values = None if samples is None else [sample[1] for sample in samples]
    try:
        labels = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        labels = torch.empty(0, 0)
    if labels.ndim != 1 or labels.is_floating_point() or len(labels) != len(dataset):
        raise ValueError(
            f"Expected a data set with one class for each image, but torchvision's "
            f"{type(dataset).__name__} has none that can be read without decoding the images."
        )
    return labels.long()


def _class_names(dataset: Any) -> list[str]:
    names = getattr(dataset, "classes", None) or getattr(dataset, "categories", None) or []
    return [name if isinstance(name, str) else ", ".join(name) for name in names]


def _stored(parts: Mapping[str, Any]) -> ImageSource | None:
    pixels = []
    for dataset in parts.values():
        data = getattr(dataset, "data", None)
        if not isinstance(data, (numpy.ndarray, Tensor)):
            return None
        pixels.append(channels_first(data))
    return StoredImages(torch.cat(pixels))
