"""Whole batches of items, in an order that depends only on seed and epoch."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from ...functional.arguments import whole_number
from ...functional.devices import works_alongside
from ...functional.epoch_order import (
    bucket_by_length,
    epoch_order,
    shared_batch_sizes,
    times_before,
)
from .epoch_position import EpochPosition


class EpochSampler(DistributedSampler[Any]):
    """Yield this rank's batches, int64 tensors of items on ``device``, or lists if ``as_lists``.

    Shuffled, for training: the order depends only on (seed, epoch), the batches of all ranks at a
    step are those of a single rank with a batch size that many times larger, and all ranks have the
    same number of batches. Items that would make them uneven, fewer than there are ranks, are
    dropped, different ones in every epoch; so is a last batch of one item, which BatchNorm cannot
    use.

    In order, for evaluation: every item once, over all ranks. All ranks have the same number of
    batches, because models that synchronise would otherwise wait forever; so last batches are
    uneven, and with ``batch_size=1`` a rank's last batch may hold two items.

    The batches are those of the epoch of ``position``, from ``start`` on; a loader sets both. The
    base class is ``DistributedSampler`` so that Lightning does not replace it and calls its
    ``set_epoch``.

    Args:
        members: Items of the data set to iterate over, int64 of shape ``(N,)``.
        batch_size: Items in a batch, on each rank.
        shuffle: Whether the order is random, for training.
        seed: Seed of the order.
        rank: Index of this rank.
        num_replicas: Number of ranks.
        weights: Sampling weight of each member, shape ``(N,)``, to draw ``N`` with replacement.
        lengths: Length of each member, shape ``(N,)``, for batches of similar lengths.
        finished: Returns how many batches of this epoch were used, for ``EpochPosition``.
        span: Added to an item for each time that it was drawn before in the epoch, so that a data
            set of fewer items can tell the draws apart; 0 gives the item alone.

    Raises:
        ValueError: If a number is out of range, or there are fewer members than ranks.

    Example:
        >>> batches = EpochSampler(torch.arange(10, 15), 2, shuffle=False)
        >>> list(batches)
        [tensor([10, 11]), tensor([12, 13]), tensor([14])]
    """

    def __init__(
        self,
        members: Tensor,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        num_replicas: int = 1,
        weights: Tensor | None = None,
        lengths: Tensor | None = None,
        finished: Callable[[], int] | None = None,
        span: int = 0,
    ) -> None:
        check_enough(len(members), num_replicas)
        super().__init__(
            cast(Any, members), num_replicas=num_replicas, rank=rank, shuffle=shuffle, seed=seed
        )
        self.members, self.batch_size = members, whole_number("batch_size", batch_size)
        self.weights, self.lengths = weights, lengths
        self.span, self.sizes = span, self._sizes()
        self.position = EpochPosition(len(self.sizes), batch_size * num_replicas, finished=finished)
        self.start, self.as_lists, self.device = 0, False, torch.device("cpu")

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Any]:
        order = self.order(self.position.current_epoch)
        own = order[self.rank :: self.num_replicas][: sum(self.sizes)]
        if works_alongside(self.device):
            # From page-locked memory, or the copy would block this process.
            own = own.pin_memory().to(self.device, non_blocking=True)
        for batch in torch.split(own.to(self.device), self.sizes)[self.start :]:
            # Between processes, a tensor needs a file of shared memory, and a list none.
            yield batch.tolist() if self.as_lists else batch

    def in_order(self) -> "EpochSampler":
        """Return a sampler of the same members, batch size and ranks, without shuffling."""
        return EpochSampler(
            self.members,
            self.batch_size,
            shuffle=False,
            rank=self.rank,
            num_replicas=self.num_replicas,
        )

    def order(self, epoch: int) -> Tensor:
        """Return the items of all ranks in the order of an epoch, int64 of shape ``(N,)``."""
        if not self.shuffle:
            return self.members
        count, step = len(self.members), self.batch_size * self.num_replicas
        order = epoch_order(count, self.seed, epoch, self.weights)
        if self.lengths is not None:
            # Dropped items are dropped first, or they would be the longest each time.
            order = order[: sum(self.sizes) * self.num_replicas]
            order = bucket_by_length(order, self.lengths, step, self.seed, epoch)
        items = self.members.index_select(0, order)
        return items + self.span * times_before(order) if self.span else items

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass; if it was just restored, the pass covers its rest."""
        self.position.set_epoch(epoch)

    def _sizes(self) -> list[int]:
        if not self.shuffle:
            return shared_batch_sizes(
                len(self.members), self.batch_size, self.num_replicas, self.rank
            )
        own = len(self.members) // self.num_replicas
        whole, last = divmod(own, self.batch_size)
        left_out = last == 0 or (last == 1 and whole > 0)
        return [self.batch_size] * whole + ([] if left_out else [last])


def check_enough(count: int, num_replicas: int) -> None:
    """Refuse data with fewer items than ranks.

    Raises:
        ValueError: If there are fewer items than ranks.
    """
    if count < num_replicas:
        raise ValueError(
            f"Expected at least one item for each of {num_replicas} ranks, but got {count}. Use "
            f"fewer devices or more data."
        )
