"""Images and labels that are already in memory."""

from collections.abc import Mapping
from typing import Any

import numpy
import torch
from torch import Tensor

from .labelled_images import LabelledImages, consecutive_parts, numbered_names
from .pixel_layout import channels_first
from .stored_images import StoredImages

_PART_NAMES = ("train", "val", "test")


def read_arrays(dataset: Any) -> LabelledImages:
    """Convert images and labels to a data set.

    Args:
        dataset: ``(images, labels)``, or a mapping of ``"train"``, ``"val"`` and ``"test"`` to such
            pairs. Images are what ``channels_first`` accepts. Labels are class indices from 0, of
            any integer dtype, shape ``(N,)`` or ``(N, 1)``, or class names, which are sorted.

    Raises:
        TypeError: If it is neither.
        ValueError: If shapes, numbers or splits are not as expected.

    Example:
        >>> read_arrays((torch.zeros(2, 1, 4, 4), ["dog", "cat"])).class_names
        ('cat', 'dog')
    """
    parts = dict(dataset) if isinstance(dataset, Mapping) else {"train": dataset}
    if "train" not in parts or not set(parts) <= set(_PART_NAMES):
        raise ValueError(
            f"Expected `dataset` to have splits 'train' and optionally 'val' and 'test', but got "
            f"{', '.join(map(repr, parts)) or 'none'}."
        )
    images, labels = [], []
    for pair in parts.values():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                f"Expected `dataset` to be a name, (images, labels), or a mapping of 'train', "
                f"'val' and 'test' to (images, labels), but got {type(pair).__name__}."
            )
        images.append(channels_first(pair[0]))
        labels.append(_label_array(pair[1], len(images[-1])))
    _check_alike(images)
    indices, names = _encode(numpy.concatenate(labels))
    lengths = {part: len(pixels) for part, pixels in zip(parts, images, strict=True)}
    return LabelledImages(
        StoredImages(torch.cat(images) if len(images) > 1 else images[0]),
        indices,
        names,
        consecutive_parts(lengths),
    )


def _label_array(labels: Any, count: int) -> Any:
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else numpy.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (count,):
        hint = " For one-hot labels, pass `labels.argmax(1)`." if array.ndim == 2 else ""
        raise ValueError(
            f"Expected one label for each of {count} images, but got labels of shape "
            f"{array.shape}.{hint}"
        )
    if count == 0:
        return numpy.zeros(0, dtype=numpy.int64)
    if array.dtype.kind == "O":
        array = _plain_objects(array)
    if array.dtype.kind not in "biuUS":
        raise ValueError(
            f"Expected labels as class indices or class names, but got {array.dtype}. Convert them "
            "with `labels.astype(int)` or `labels.long()`."
        )
    return array


def _plain_objects(array: Any) -> Any:
    kinds = {type(value).__name__ for value in array}
    if all(isinstance(value, str) for value in array):
        return array.astype(str)
    if all(isinstance(value, (int, numpy.integer)) for value in array):
        return array.astype(numpy.int64)
    raise ValueError(
        f"Expected labels that are all class names or all class indices, but got {sorted(kinds)}."
    )


def _check_alike(images: list[Tensor]) -> None:
    kinds = {(tuple(part.shape[1:]), part.dtype) for part in images}
    if len(kinds) > 1:
        raise ValueError(
            f"Expected images of all splits to have one shape and type, but got "
            f"{sorted(kinds, key=str)}."
        )


def _encode(labels: Any) -> tuple[Tensor, tuple[str, ...]]:
    if labels.dtype.kind in "US":
        names, indices = numpy.unique(labels, return_inverse=True)
        shown = [n.decode() if isinstance(n, bytes) else str(n) for n in names.tolist()]
        return torch.from_numpy(indices.astype(numpy.int64)), tuple(shown)
    tensor = torch.from_numpy(labels.astype(numpy.int64))
    return tensor, numbered_names((), tensor)
