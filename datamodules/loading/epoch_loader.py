"""A DataLoader of whole batches that resumes in mid-epoch."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from ...functional.epoch_order import epoch_seed
from .epoch_sampler import EpochSampler


class BatchedDataset(Protocol):
    """What gives a whole batch at once."""

    def __getitems__(self, items: Any, /) -> Any:
        """Batch of some items: an int64 tensor, or in a worker process a list of ints."""


class EpochLoader(DataLoader[Any]):
    """``dataset.__getitems__`` of each of a sampler's batches, with a state.

    A data set that has ``set_epoch`` is told the epoch before its first batch is asked for.
    ``__getitems__`` gets an int64 tensor of items, in worker processes a list of ints
    (``torch.as_tensor`` takes both), and gives the batch. Data that lies on a device, as its
    ``device`` says, gets the items there: only the epoch's order is copied, and the device is
    never waited for. No batch is asked for before the first one is taken, so that an epoch set
    until then counts. Worker processes are seeded by (seed, epoch), and the global random state
    is not touched.

    Args:
        dataset: Map-style data set with ``__getitems__``.
        batches: Which items make up which batch.
        num_workers: Worker processes, kept over the epochs; 0 loads in this process, which is
            faster for data in memory.
        pin_memory: Whether batches are put into page-locked memory, for a faster way to a GPU.
        multiprocessing_context: How worker processes start: ``"spawn"``, ``"fork"``, ...
        sampler: Given by Lightning when it makes the loader anew. A ``SequentialSampler``, from
            ``Trainer(overfit_batches=...)``, puts the items in order.
        shuffle: Given by Lightning; changes nothing.
        batch_sampler: Given by Lightning; changes nothing.

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
        # Alone, torch's own iterator would only cost time: as much as half of a small gather.
        self._aided, self._load = num_workers > 0 or pin_memory, dataset.__getitems__
        batches.as_lists = num_workers > 0
        batches.device = getattr(dataset, "device", batches.device)
        self.batches, self.position = batches, batches.position
        super().__init__(
            _WholeBatches(dataset),
            batch_size=None,
            sampler=batches,
            collate_fn=_as_is,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=pin_memory,
            multiprocessing_context=multiprocessing_context,
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator: nothing below happens before the first batch is asked for. Lightning makes
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
        """Epoch of the batches that are given out."""
        return self.position.current_epoch

    def state_dict(self) -> dict[str, int]:
        """Where the epoch is: batches given out, not those that workers have loaded ahead."""
        return self.position.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with the batches that were left, once the epoch is that of the state."""
        self.position.load_state_dict(state)


class _WholeBatches(Dataset[Any]):
    """The same data set, asked for a batch where torch asks for an item."""

    def __init__(self, dataset: BatchedDataset) -> None:
        self.dataset = dataset

    def set_epoch(self, epoch: int) -> None:
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __getitem__(self, items: Any) -> Any:
        return self.dataset.__getitems__(items)

    def __getitems__(self, items: Any) -> Any:
        return self.dataset.__getitems__(items)


def _as_is(batch: Any) -> Any:
    return batch
