"""Images of a stream by index."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .streamed_item import Reading, stacked

if TYPE_CHECKING:
    from .indexed_stream import IndexedStream


class StreamedImages(Dataset[Any]):
    """Batches of images, labels and items of a litdata stream; a source of images, too.

    Whole chunks are fetched and kept in litdata's cache, so items are best requested in the order
    of ``order``.

    Args:
        url: Folder or URL that ``litdata.optimize`` wrote to.
        read: Extracts image and label from an item; None accepts pairs and the usual keys.
        settings: Arguments of ``litdata.StreamingDataset``.
    """

    stored = False

    def __init__(self, url: str, read: Reading | None = None, **settings: Any) -> None:
        self._url, self._read, self._settings = url, read, settings
        self._opened: tuple[int, IndexedStream] | None = None
        stream = self._open()
        stream[0]
        # The stream's own length is this rank's share.
        self._length = len(stream.cache)

    def __len__(self) -> int:
        return self._length

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width, from the first image."""
        channels, height, width = self.take(torch.zeros(1, dtype=torch.int64)).shape[1:]
        return channels, height, width

    def take(self, index: Tensor) -> Tensor:
        """Return images by index, uint8 of shape ``(N, C, H, W)``."""
        return self.__getitems__(index)[0]

    def __getitems__(self, items: Sequence[int] | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return a batch of items, with the items last."""
        return stacked([self._item(int(item)) for item in items])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    def order(self, replicas: int) -> Tensor:
        """Return items in an order that gives each rank one run of neighbouring items.

        Args:
            replicas: Number of ranks, each of which takes every ``replicas``-th item.

        Returns:
            Every item once, int64.
        """
        runs = torch.tensor_split(torch.arange(len(self)), replicas)
        columns = torch.full((len(runs[0]), replicas), -1)
        for rank, run in enumerate(runs):
            columns[: len(run), rank] = run
        order = columns.flatten()
        return order[order >= 0]

    def _item(self, item: int) -> tuple[Any, int, int]:
        # Each process opens its own stream: threads that fetch chunks do not survive a fork.
        if self._opened is not None and self._opened[0] == os.getpid():
            return self._opened[1][item]
        stream = self._open()
        row = stream[item]
        # Now that there is a cache, fill it with chunks instead of fetching images one by one.
        stream.on_demand_bytes = False
        self._opened = os.getpid(), stream
        return row

    def _open(self) -> "IndexedStream":
        from .indexed_stream import IndexedStream

        return IndexedStream(self._url, self._read, **self._settings)
