"""Loaders of the splits of a data set with random access."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from ...functional.devices import works_alongside
from ...functional.splitting import balancing_weights
from ..image_sets.labelled_images import LabelledImages
from ..loading import EpochLoader, Loaders
from ..streaming.streamed_set import StreamedSet
from .arguments import worker_processes
from .indexed_images import batched

if TYPE_CHECKING:
    from ..streaming.streams import Streams


class SplitLoaders:
    """Create a data module's loaders; `Streams` does the same for streams.

    Args:
        data: The images.
        splits: Indices of each split's images.
        loaders: The data module's loaders.
        balanced: Whether to sample training images so that all classes are equally frequent.
    """

    def __init__(
        self,
        data: LabelledImages,
        splits: Mapping[str, Tensor],
        loaders: Loaders,
        *,
        balanced: bool,
    ) -> None:
        # One for all splits, because `resident` data are put on the device once.
        self.batches = batched(data)
        self.splits, self.loaders = splits, loaders
        self._weights: Tensor | None = None
        self._span = 0
        if balanced:
            labels = data.labels[splits["train"]]
            self._weights, self._span = balancing_weights(labels), len(data.labels)

    def train(self, batch_size: int, *, trainer: Trainer | None) -> EpochLoader:
        """Return a loader of shuffled batches; it resumes in mid-epoch if a state was loaded."""
        return self.loaders.train(
            self.batches,
            self.splits["train"],
            batch_size,
            trainer=trainer,
            weights=self._weights,
            span=self._span,
        )

    def in_order(self, split: str, batch_size: int, *, trainer: Trainer | None) -> EpochLoader:
        """Return a loader of every image of a split once over all ranks."""
        return self.loaders.in_order(self.batches, self.splits[split], batch_size, trainer=trainer)

    def predict(self, split: str, batch_size: int, *, trainer: Trainer | None) -> DataLoader[Any]:
        """Return a loader of every image of a split once, in order, sharded by Lightning."""
        return self.loaders.predict(self.batches, self.splits[split], batch_size, trainer=trainer)


def make_loaders(
    trainer: Trainer | None,
    *,
    stored: bool,
    num_workers: int | None,
    multiprocessing_context: str | None,
    resident: bool,
    seed: int,
) -> Loaders:
    """Create loaders for the Trainer's devices: pinned for a GPU, processors for each device.

    Args:
        trainer: The data module's Trainer.
        stored: Whether the images are in memory.
        num_workers: Worker processes of each loader; None chooses a number.
        multiprocessing_context: Start method of worker processes.
        resident: Whether the images are kept on the device.
        seed: Seed of the order.

    Raises:
        ValueError: If images in files are to be kept on the device.
    """
    if resident and not stored:
        raise ValueError(
            "Expected `resident` to be False for images that are decoded from files, but got True."
        )
    alongside = trainer is not None and works_alongside(trainer.strategy.root_device)
    devices = trainer.num_devices if trainer else 1
    return Loaders(
        seed=seed,
        num_workers=worker_processes(num_workers, stored=stored, devices=devices),
        pin_memory=alongside and not resident,
        multiprocessing_context=multiprocessing_context,
        resident=resident,
    )


def loaders_of_splits(
    data: LabelledImages | StreamedSet,
    splits: Mapping[str, Tensor],
    loaders: Loaders,
    *,
    balanced: bool,
) -> "SplitLoaders | Streams":
    """Return the maker of loaders for a data set with random access, or for a streamed one.

    Args:
        data: The data set.
        splits: Indices of each split.
        loaders: The data module's loaders.
        balanced: Whether to sample training images so that all classes are equally frequent.
    """
    if isinstance(data, StreamedSet):
        # litdata is optional, and slow to import.
        from ..streaming.streams import Streams

        return Streams(dict(data.urls), loaders, read=data.read, **data.options)
    return SplitLoaders(data, splits, loaders, balanced=balanced)
