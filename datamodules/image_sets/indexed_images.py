"""Batches of images with their labels and indices."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .image_source import ImageSource

IndexedBatch = tuple[Tensor, Tensor, Tensor]


class IndexedImages(Dataset[Any]):
    """Batches of images, labels and items.

    The item of an image that is drawn again in an epoch is its index plus the number of images,
    then plus twice that number etc., so that it is augmented differently each time.

    Args:
        images: The images.
        labels: Class of each, int64, shape ``(N,)``.
    """

    def __init__(self, images: ImageSource, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, item: int) -> IndexedBatch:
        images, labels, index = self.__getitems__([item])
        return images[0], labels[0], index[0]

    def __getitems__(self, items: Any) -> IndexedBatch:
        """Return a batch of items, with the items last, int64 of shape ``(B,)``."""
        items = torch.as_tensor(items)
        index = items % len(self.labels)
        return self.images.take(index), self.labels.index_select(0, index), items
