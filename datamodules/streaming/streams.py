"""The streams of a data module."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from ..loading import EpochLoader, Loaders
from .stream_loader import StreamLoader
from .streamed_images import StreamedImages
from .streamed_item import Reading


class Streams:
    """Create a data module's loaders from litdata streams of its splits.

    Training batches are in the order in which litdata streams them. For evaluation, every image is
    loaded once over all ranks, each of which reads its own run of chunks in order.

    Args:
        urls: Folder or URL of each existing split: ``"train"``, ``"val"``, ``"test"``.
        loaders: The data module's loaders, with their settings.
        read: Extracts image and label from an item; None accepts pairs and the usual keys.
        settings: Arguments of ``litdata.StreamingDataset``: ``cache_dir``, ``max_cache_size``,
            ``storage_options``, ...

    Raises:
        ValueError: If there is no training stream.
    """

    def __init__(
        self,
        urls: dict[str, str],
        loaders: Loaders,
        *,
        read: Reading | None = None,
        **settings: Any,
    ) -> None:
        if "train" not in urls:
            raise ValueError(f"Expected a stream of 'train', but got {sorted(urls)}.")
        self.urls, self.loaders, self.read = dict(urls), loaders, read
        self._settings = settings
        self._splits: dict[str, StreamedImages] = {}

    def train(self, batch_size: int, *, trainer: Trainer | None) -> StreamLoader:
        """Return a loader of shuffled batches; it resumes in mid-epoch if a state was loaded."""
        loader = StreamLoader(
            self.urls["train"],
            batch_size,
            read=self.read,
            seed=self.loaders.seed,
            finished=self.loaders.finished(trainer),
            **self.loaders.settings,
            **self._settings,
        )
        return self.loaders.follow(loader)

    def in_order(self, split: str, batch_size: int, *, trainer: Trainer | None) -> EpochLoader:
        """Return a loader of every image of a split once over all ranks."""
        images = self.images(split)
        members = images.order(self.loaders.shard(trainer)[1])
        return self.loaders.in_order(images, members, batch_size, trainer=trainer)

    def predict(self, split: str, batch_size: int, *, trainer: Trainer | None) -> DataLoader[Any]:
        """Return a loader of every image of a split once, in order, sharded by Lightning."""
        images = self.images(split)
        return self.loaders.predict(images, torch.arange(len(images)), batch_size, trainer=trainer)

    def images(self, split: str) -> StreamedImages:
        """Return the images of a split by index.

        Raises:
            ValueError: If there is no stream of it.
        """
        if split not in self.urls:
            raise ValueError(
                f"Expected a stream of {split!r}, but got {sorted(self.urls)}. Pass its folder."
            )
        if split not in self._splits:
            self._splits[split] = StreamedImages(self.urls[split], self.read, **self._settings)
        return self._splits[split]
