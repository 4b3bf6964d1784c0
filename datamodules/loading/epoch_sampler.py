"""Whole batches of items, in an order that depends on seed and epoch alone."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from ...functional.epoch_order import bucket_by_length, epoch_order, shared_batch_sizes


class EpochSampler(DistributedSampler[Any]):
    """This rank's batches, each an int64 tensor of items on ``device``, or a list ``as_lists``.

    Shuffled, for training: the order depends on (seed, epoch) alone, the batches of all ranks at
    one step are those of one rank with as many times the batch size, and every rank has as many.
    What would make them uneven is left out, fewer items than ranks and others in every epoch; so
    is a last batch of one item, because BatchNorm cannot use it.

    In order, for evaluation: every item once, over all ranks. Every rank has as many batches,
    because models that synchronise would wait for ever; so last batches are uneven, and with
    ``batch_size=1`` a rank's last batch can hold two items.

    A loader tells it by ``begin`` that a pass begins, and counts what is ``done``. Passes without
    a ``set_epoch`` in between are of successive epochs. It is a ``DistributedSampler`` so that
    Lightning leaves it alone and calls its ``set_epoch``.

    Args:
        members: Items of the data set to walk over, int64 of shape ``(N,)``.
        batch_size: Items in a batch, on each rank.
        shuffle: Whether the order is random, for training.
        seed: Seed of the order.
        rank: Which rank this is.
        num_replicas: Number of ranks.
        weights: Chance of each member, shape ``(N,)``: as many are then drawn with replacement.
        lengths: Length of each member, shape ``(N,)``: batches are then of similar lengths.
        finished: How many batches of this epoch are used up. A batch that an interruption
            wasted is then loaded again by the resumed run. None counts batches as given out.

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
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"Expected `batch_size` to be at least 1, but got {batch_size}.")
        if len(members) < num_replicas:
            raise ValueError(
                f"Expected at least one item for each of {num_replicas} ranks, but got "
                f"{len(members)}. Use fewer devices or more data."
            )
        self.weights = _checked("weights", weights, members, shuffle)
        self.lengths = _checked("lengths", lengths, members, shuffle)
        if self.weights is not None and not 0 < float(self.weights.sum()) < torch.inf:
            raise ValueError("Expected `weights` to be finite and of a positive sum.")
        super().__init__(
            cast(Any, members), num_replicas=num_replicas, rank=rank, shuffle=shuffle, seed=seed
        )
        self.members, self.batch_size = members.cpu(), batch_size
        self.sizes = self._sizes()
        self.passes = self.done = 0
        self.as_lists = self._restored = False
        self.device = torch.device("cpu")
        self._finished, self._lead, self._start = finished, 0, 0

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Any]:
        start, self._start = self._start, 0
        own = self.order(self.current_epoch)[self.rank :: self.num_replicas][: sum(self.sizes)]
        if self.device.type == "cuda":
            # From page-locked memory, or the copy would hold up this process.
            own = own.pin_memory().to(self.device, non_blocking=True)
        for batch in torch.split(own.to(self.device), self.sizes)[start:]:
            # Between processes a tensor needs a file of shared memory, a list none.
            yield batch.tolist() if self.as_lists else batch

    @property
    def current_epoch(self) -> int:
        """Epoch of the pass that is under way, or else of the next."""
        return self.epoch + max(0, self.passes - 1)

    def in_order(self) -> "EpochSampler":
        """The same members, batch size and ranks, not shuffled."""
        return EpochSampler(
            self.members,
            self.batch_size,
            shuffle=False,
            rank=self.rank,
            num_replicas=self.num_replicas,
        )

    def order(self, epoch: int) -> Tensor:
        """Items of all ranks in the order of an epoch, int64 of shape ``(N,)``."""
        if not self.shuffle:
            return self.members
        count, step = len(self.members), self.batch_size * self.num_replicas
        order = epoch_order(count, self.seed, epoch, self.weights)
        if self.lengths is not None:
            # What is left out is left out first, or it would be the longest each time.
            order = order[: sum(self.sizes) * self.num_replicas]
            order = bucket_by_length(order, self.lengths, step, self.seed, epoch)
        return self.members.index_select(0, order)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of ``epoch``, or of its rest if that was just restored."""
        if not (self._restored and epoch == self.epoch):
            self.epoch = epoch
            self.passes = self.done = 0
            self._restored = False

    def begin(self) -> None:
        """Begin a pass: the rest of the restored one, or the next."""
        if not self._restored or self.done >= len(self):
            self.passes, self.done = self.passes + 1, 0
        self._restored, self._start = False, self.done
        self._lead = self.done - self._finished() if self._finished else 0

    def state_dict(self) -> dict[str, int]:
        """Where the pass is, in numbers that are the same on every rank."""
        step, done = self.batch_size * self.num_replicas, self.done
        if self._finished and not self._restored:
            done = min(done, self._finished() + self._lead)
        return {"epoch": self.epoch, "passes": self.passes, "done": done, "step": step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where the state was taken.

        With another batch size or number of ranks, from the first batch that was not all done.
        """
        step = self.batch_size * self.num_replicas
        self.epoch, self.passes = state["epoch"], state["passes"]
        self.done = state["done"] * state["step"] // step
        self._restored = True

    def _sizes(self) -> list[int]:
        if not self.shuffle:
            return shared_batch_sizes(
                len(self.members), self.batch_size, self.num_replicas, self.rank
            )
        own = len(self.members) // self.num_replicas
        whole, last = divmod(own, self.batch_size)
        left_out = last == 0 or (last == 1 and whole > 0)
        return [self.batch_size] * whole + ([] if left_out else [last])


def _checked(name: str, values: Tensor | None, members: Tensor, shuffle: bool) -> Tensor | None:
    if values is None:
        return None
    if not shuffle:
        raise ValueError(f"Expected no `{name}` without `shuffle`, but got some.")
    if values.shape != members.shape:
        raise ValueError(
            f"Expected `{name}` to have one number for each of {len(members)} members, but got "
            f"shape {tuple(values.shape)}."
        )
    return values.cpu()
