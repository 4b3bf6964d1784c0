"""A data set in litdata streams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .streamed_images import StreamedImages
from .streamed_item import Reading

_PARTS = ("train", "val", "test")
_IMAGES_OF_A_RUN = 64


@dataclass(frozen=True)
class StreamedSet:
    """A stream for each split, whose labels become known only as they are read.

    Attributes:
        urls: Folder or URL of each split, including ``"train"``.
        class_names: Names of the classes, by class index.
        read: Extracts image and label from an item; None accepts pairs and the usual keys.
        options: Arguments of ``litdata.StreamingDataset``.

    Raises:
        ValueError: If there is no training stream, one with another name, or no class.
    """

    urls: Mapping[str, str]
    class_names: tuple[str, ...]
    read: Reading | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "train" not in self.urls or not set(self.urls) <= set(_PARTS):
            raise ValueError(
                f"Expected streams of 'train' and optionally 'val' and 'test', but got "
                f"{sorted(self.urls)}."
            )
        if len(self.class_names) < 1:
            raise ValueError("Expected `class_names` with a name for each class, but got none.")

    @cached_property
    def batches(self) -> dict[str, StreamedImages]:
        """Images of each split by index."""
        return {
            name: StreamedImages(url, self.read, **self.options) for name, url in self.urls.items()
        }

    @property
    def images(self) -> StreamedImages:
        """Images of the training split."""
        return self.batches["train"]

    def split(self) -> dict[str, Tensor]:
        """Return the indices of each split's images, which start from 0 in each."""
        return {name: torch.arange(len(self.batches.get(name, ()))) for name in _PARTS}

    def with_class_names(self, names: Sequence[str]) -> "StreamedSet":
        """Return self if the names are its classes: labels of a stream are not converted.

        Raises:
            ValueError: If they are not.
        """
        if tuple(names) != self.class_names:
            raise ValueError(
                f"Expected the checkpoint's classes {', '.join(names)}, but got `class_names` "
                f"{', '.join(self.class_names)}. Pass those that it was trained on."
            )
        return self

    def examples(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return training images and their labels by index."""
        images, labels, _ = self.images.__getitems__(index)
        return images, labels


def spread_runs(count: int, wanted: int) -> Tensor:
    """Return evenly spread runs of neighbouring indices, which a stream stores together.

    Args:
        count: Number of images.
        wanted: How many indices to return, to within a run.

    Example:
        >>> spread_runs(1000, 128)[[0, 63, 64, 127]]
        tensor([  0,  63, 936, 999])
    """
    if count <= wanted:
        return torch.arange(count)
    run = min(_IMAGES_OF_A_RUN, wanted)
    starts = torch.linspace(0, count - run, wanted // run, dtype=torch.float64).long()
    return (starts[:, None] + torch.arange(run)).flatten()
