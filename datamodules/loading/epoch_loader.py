"""A DataLoader of whole batches that can resume in mid-epoch."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from ...functional.epoch_order import epoch_seed
from .epoch_sampler import EpochSampler


class BatchedDataset(Protocol):
    """A data set that returns a whole batch at once."""

    def __getitems__(self, items: Any, /) -> Any:
        """Return a batch of items: an int64 tensor, or in a worker process a list of ints."""


class EpochLoader(DataLoader[Any]):
    """Load each of a sampler's batches with ``dataset.__getitems__``, and keep a state.

    If the data set has ``set_epoch``, it is called before the first batch is requested.
    ``__getitems__`` receives an int64 tensor of items, in worker processes a list of ints
    (``torch.as_tensor`` accepts both), and returns the batch. A data set on a device, according to
    its ``device``, receives the items there: only the epoch's order is copied, without
    synchronisation. No batch is requested before iteration starts, so an epoch can be set until
    then. Worker processes are seeded by (seed, epoch), and the global random state is not changed.

    Args:
        dataset: Map-style data set with ``__getitems__``.
        batches: Sampler of the items of each batch.
        num_workers: Worker processes, which persist over epochs; 0 loads in this process, which is
            faster for data in memory.
        pin_memory: Whether batches are put into page-locked memory, for faster copies to a GPU.
        multiprocessing_context: Start method of worker processes: ``"spawn"``, ``"fork"``, ...
        sampler: Passed by Lightning when it recreates the loader. A ``SequentialSampler``, from
            ``Trainer(overfit_batches=...)``, puts the items in order.
        shuffle: Passed by Lightning; has no effect.
        batch_sampler: Passed by Lightning; has no effect.

    Example:
        >>> from .indexed_tensors import IndexedTensors
        >>> data = IndexedTensors(torch.arange(3) * 10)
        >>> loader = EpochLoader(data, EpochSampler(torch.arange(3), 2, shuffle=False))
        >>> list(loader)
        [(tensor([ 0, 10]), tensor([0, 1])), (tensor([20]), tensor([2]))]
    """

    def __init__(
        self,
        dataset: BatchedDataset,
        batches: EpochSampler,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        multiprocessing_context: Any = None,
        sampler: Sampler[Any] | None = None,
        shuffle: bool = False,
        batch_sampler: None = None,
    ) -> None:
        if isinstance(sampler, SequentialSampler):
            batches = batches.in_order()
        # Without workers or pinning, torch's iterator only costs time: up to half a small gather.
        self._aided, self._load = num_workers > 0 or pin_memory, dataset.__getitems__
        batches.as_lists = num_workers > 0
        batches.device = getattr(dataset, "device", batches.device)
        self.batches, self.position = batches, batches.position
        super().__init__(
            _WholeBatches(dataset),
            batch_size=None,
            sampler=batches,
            collate_fn=as_is,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=pin_memory,
            multiprocessing_context=multiprocessing_context,
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator: nothing below runs before the first batch is requested. Lightning creates
        # the iterator before it sets the epoch, and workers would start on the wrong one.
        self.batches.start = self.position.begin()
        self.generator.manual_seed(epoch_seed(self.batches.seed, self.epoch))
        whole: Any = self.dataset
        whole.set_epoch(self.epoch)
        for batch in super().__iter__() if self._aided else map(self._load, self.batches):
            self.position.done += 1
            yield batch
        self.batches.start = 0

    @property
    def epoch(self) -> int:
        """Epoch of the batches that are yielded."""
        return self.position.current_epoch

    def state_dict(self) -> dict[str, int]:
        """Return the position in the epoch, without batches that workers have loaded ahead."""
        return self.position.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue with the remaining batches, once the epoch is that of the state."""
        self.position.load_state_dict(state)


class _WholeBatches(Dataset[Any]):
    """The same data set, which returns a batch where torch requests an item."""

    def __init__(self, dataset: BatchedDataset) -> None:
        self.dataset = dataset

    def set_epoch(self, epoch: int) -> None:
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __getitem__(self, items: Any) -> Any:
        return self.dataset.__getitems__(items)

    def __getitems__(self, items: Any) -> Any:
        return self.dataset.__getitems__(items)


def as_is(batch: Any) -> Any:
    """Return a batch, in place of a collation: a data set has made it already."""
    return batch
