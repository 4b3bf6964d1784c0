"""Batches in order, equally many on every rank."""

from collections.abc import Iterator, Sized
from itertools import islice
from typing import Any, cast

from torch.utils.data import BatchSampler, DistributedSampler, Sampler

from ...functional.epoch_order import shared_batch_sizes


class EvenBatches(BatchSampler):
    """Yield a sampler's items in order, each once, in equally many batches on every rank.

    For predicting, Lightning recreates the batch sampler with a sampler of the rank's own items,
    and records which items are in a batch, for writers. One rank may have an item more than
    another, and with full batches then a batch more, for which models that synchronise would wait
    forever; here it goes into the last batches.

    Args:
        sampler: Yields the items; a ``DistributedSampler`` those of its rank.
        batch_size: Items in a batch, on each rank.
        drop_last: Passed by Lightning, as False; nothing is ever dropped.

    Example:
        >>> from torch.utils.data import SequentialSampler
        >>> list(EvenBatches(SequentialSampler(range(5)), 2))
        [[0, 1], [2, 3], [4]]
        >>> list(EvenBatches(DistributedSampler(range(8), 2, 1, shuffle=False), 3))
        [[1, 3, 5], [7]]
    """

    def __init__(self, sampler: Sampler[Any], batch_size: int, *, drop_last: bool = False) -> None:
        super().__init__(sampler, batch_size, drop_last=False)
        if isinstance(sampler, DistributedSampler):
            count, replicas, rank = sampler.total_size, sampler.num_replicas, sampler.rank
        else:
            count, replicas, rank = len(cast(Sized, sampler)), 1, 0
        self.sizes = shared_batch_sizes(count, batch_size, replicas, rank)

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[list[int]]:
        items = iter(self.sampler)
        for size in self.sizes:
            yield list(islice(items, size))
