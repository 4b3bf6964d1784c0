"""Images with one class each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ..loading import IndexedTensors, Splitting
from .image_source import ImageSource
from .indexed_images import IndexedImages
from .stored_images import StoredImages


@dataclass(frozen=True)
class LabelledImages:
    """A whole data set under one indexing, so that an index identifies an image in every split.

    Attributes:
        images: The images.
        labels: Class of each, int64, shape ``(N,)``.
        class_names: Names of the classes, by class index.
        parts: Indices of the splits that the data set itself comes with, by ``"train"``, ``"val"``
            and ``"test"``; empty if it comes without splits.

    Raises:
        ValueError: If there are no images, or labels do not fit the class names.
    """

    images: ImageSource
    labels: Tensor
    class_names: tuple[str, ...]
    parts: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.images) == 0:
            raise ValueError("Expected images in the data set, but got none.")
        least, most = int(self.labels.min()), int(self.labels.max())
        if least < 0 or most >= len(self.class_names):
            raise ValueError(
                f"Expected labels from 0 to {len(self.class_names) - 1}, one for each class, but "
                f"got {least} to {most}. Use class indices that start at 0."
            )

    def examples(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return images and their labels by index."""
        return self.images.take(index), self.labels[index]

    @cached_property
    def batches(self) -> dict[str, IndexedImages | IndexedTensors]:
        """What loaders of each split take batches from: plain tensors for images in memory."""
        data: IndexedImages | IndexedTensors = IndexedImages(self.images, self.labels)
        if isinstance(self.images, StoredImages):
            data = IndexedTensors(self.images.pixels, self.labels)
        # One for all splits, because `resident` data are put on the device once.
        return dict.fromkeys(("train", "val", "test"), data)

    def split(self, splitting: Splitting) -> dict[str, Tensor]:
        """Return indices of ``"train"``, ``"val"`` and ``"test"``.

        Splits that the data set comes with are kept; only a missing validation split is drawn, from
        the training split. Folds divide training and validation split together.
        """
        none = torch.zeros(0, dtype=torch.int64)
        if "val" in self.parts and splitting.num_folds is None:
            return {name: self.parts.get(name, none) for name in ("train", "val", "test")}
        return splitting.split(self.labels, self.parts.get("test", none) if self.parts else None)

    def with_class_names(self, names: Sequence[str]) -> "LabelledImages":
        """Return the same images with the class indices of a checkpoint.

        Args:
            names: Names by class index, including those of the images.

        Raises:
            ValueError: If images have a class that is not among the names.
        """
        if tuple(names) == self.class_names:
            return self
        place = {name: index for index, name in enumerate(names)}
        held = set(self.labels.tolist())
        unknown = [n for i, n in enumerate(self.class_names) if i in held and n not in place]
        if unknown:
            raise ValueError(
                f"Expected the checkpoint's classes {', '.join(names)}, but the data set has "
                f"images of {', '.join(unknown)}. Use the data set that it was trained on."
            )
        indices = torch.tensor([place.get(name, 0) for name in self.class_names])
        return replace(self, labels=indices[self.labels], class_names=tuple(names))


def consecutive_parts(lengths: Mapping[str, int]) -> dict[str, Tensor]:
    """Return the indices of consecutive splits.

    Args:
        lengths: Number of images in each split.

    Returns:
        Int64 tensors by split; none for a single one, which is still to be split.

    Example:
        >>> consecutive_parts({"train": 2, "test": 1})
        {'train': tensor([0, 1]), 'test': tensor([2])}
    """
    if len(lengths) == 1:
        return {}
    parts = torch.split(torch.arange(sum(lengths.values())), list(lengths.values()))
    return dict(zip(lengths, parts, strict=True))


def numbered_names(names: Sequence[str], labels: Tensor) -> tuple[str, ...]:
    """Return the names of all classes: known names, then class indices.

    Args:
        names: Known names, in the order of the classes.
        labels: Class indices.

    Example:
        >>> numbered_names(["cat"], torch.tensor([0, 2]))
        ('cat', '1', '2')
    """
    count = int(labels.max()) + 1 if len(labels) else 0
    return (*names, *(str(i) for i in range(len(names), count)))
