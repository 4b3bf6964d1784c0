"""Loaders of the splits of a data set that is known by its index."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from ...functional.splitting import balancing_weights
from ..image_sets.labelled_images import LabelledImages
from ..loading import EpochLoader, Loaders
from ..streaming.streamed_set import StreamedSet
from .arguments import worker_processes
from .indexed_images import batched

if TYPE_CHECKING:
    from ..streaming.streams import Streams


class SplitLoaders:
    """Makes a data module's loaders; `Streams` does the same for streams.

    Args:
        data: The images.
        splits: Indices of the images of each.
        loaders: The data module's.
        balanced: Whether training images are drawn so that every class comes as often.
    """

    def __init__(
        self,
        data: LabelledImages,
        splits: Mapping[str, Tensor],
        loaders: Loaders,
        *,
        balanced: bool,
    ) -> None:
        # One for all, because `resident` data is put on the device once.
        self.batches = batched(data)
        self.splits, self.loaders = splits, loaders
        self._weights: Tensor | None = None
        self._span = 0
        if balanced:
            labels = data.labels[splits["train"]]
            self._weights, self._span = balancing_weights(labels), len(data.labels)

    def train(self, batch_size: int, *, trainer: Trainer | None) -> EpochLoader:
        """Shuffled batches; the rest of an epoch, if its state was loaded."""
        return self.loaders.train(
            self.batches,
            self.splits["train"],
            batch_size,
            trainer=trainer,
            weights=self._weights,
            span=self._span,
        )

    def in_order(self, split: str, batch_size: int, *, trainer: Trainer | None) -> EpochLoader:
        """Every image of a split once over all ranks."""
        return self.loaders.in_order(self.batches, self.splits[split], batch_size, trainer=trainer)

    def predict(self, split: str, batch_size: int, *, trainer: Trainer | None) -> DataLoader[Any]:
        """Every image of a split once, in order, sharded by Lightning."""
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
    """Loaders that suit the Trainer's devices: pinned for a GPU, processors for each device.

    Args:
        trainer: The data module's.
        stored: Whether the images lie in memory.
        num_workers: Worker processes of each loader; None for what suits.
        multiprocessing_context: How they start.
        resident: Whether the images are kept on the device.
        seed: Of the order.

    Raises:
        ValueError: If images in files are to be kept on the device.
    """
    if resident and not stored:
        raise ValueError(
            "Expected `resident` to be False for images that are decoded from files, but got True."
        )
    on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda"
    devices = trainer.num_devices if trainer else 1
    return Loaders(
        seed=seed,
        num_workers=worker_processes(num_workers, stored=stored, devices=devices),
        pin_memory=on_gpu and not resident,
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
    """What makes the loaders of a data set that is known by its index, or streamed.

    Args:
        data: The data set.
        splits: Indices of each split.
        loaders: The data module's.
        balanced: Whether training images are drawn so that every class comes as often.
    """
    if isinstance(data, StreamedSet):
        # litdata is optional, and takes its time.
        from ..streaming.streams import Streams

        return Streams(dict(data.urls), loaders, read=data.read, **data.options)
    return SplitLoaders(data, splits, loaders, balanced=balanced)
