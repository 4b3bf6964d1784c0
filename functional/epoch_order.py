"""Order of an epoch's items, and their division among ranks and batches."""

import torch
from torch import Tensor

from .hashing import splitmix64

# Batches that are sorted by length together: similar within, yet different in each epoch.
_BATCHES_OF_A_POOL = 64


def epoch_seed(seed: int, epoch: int) -> int:
    """Derive a generator's seed for one epoch; unlike with a sum, (0, 1) and (1, 0) differ.

    Args:
        seed: Any 64-bit integer.
        epoch: Any 64-bit integer.

    Example:
        >>> epoch_seed(0, 1) == epoch_seed(1, 0)
        False
    """
    return int(splitmix64(splitmix64(torch.tensor(seed)) + epoch))


def epoch_order(count: int, seed: int, epoch: int, weights: Tensor | None = None) -> Tensor:
    """Draw an order of indices that depends on (seed, epoch) alone.

    Args:
        count: Number of indices.
        seed: Seed of the order.
        epoch: Number of the epoch.
        weights: Sampling weight of each index, shape ``(count,)``, not negative: ``count`` indices
            are then drawn with replacement. None gives each index once.

    Returns:
        Indices, int64 of shape ``(count,)``.

    Example:
        >>> epoch_order(5, seed=0, epoch=0).sort().values
        tensor([0, 1, 2, 3, 4])
    """
    generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
    if weights is None:
        return torch.randperm(count, generator=generator)
    # Unlike torch.multinomial, this has no limit of 2**24 indices.
    edges = weights.double().cumsum(0)
    drawn = torch.rand(count, generator=generator, dtype=torch.float64) * edges[-1]
    last = int(weights.nonzero()[-1])
    return torch.searchsorted(edges, drawn, right=True).clamp_(max=last)


def times_before(order: Tensor) -> Tensor:
    """Count how often each index of an order has occurred earlier in it.

    Args:
        order: Indices, int64 of shape ``(N,)``.

    Returns:
        Tensor of shape ``(N,)``, int64.

    Example:
        >>> times_before(torch.tensor([7, 5, 7, 7]))
        tensor([0, 0, 1, 2])
    """
    ordered, by_place = order.sort(stable=True)
    position = torch.arange(len(order), device=order.device)
    begins = torch.ones_like(ordered, dtype=torch.bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    begin = torch.where(begins, position, 0).cummax(0).values
    times = torch.empty_like(position)
    times[by_place] = position - begin
    return times


def bucket_by_length(order: Tensor, lengths: Tensor, step: int, seed: int, epoch: int) -> Tensor:
    """Group items of similar length into steps, with the steps in random order.

    Pools of many steps are sorted one by one, so that the steps differ between epochs. Items that
    do not fill a whole step come last.

    Args:
        order: Random order of indices, int64 of shape ``(N,)``.
        lengths: Length of the item at each index.
        step: Items in a step, of all ranks together.
        seed: Seed of the order of steps.
        epoch: Number of the epoch.

    Returns:
        The same indices, int64 of shape ``(N,)``.

    Example:
        >>> lengths = torch.tensor([9, 1, 8, 2])
        >>> order = bucket_by_length(torch.arange(4), lengths, 2, seed=0, epoch=0)
        >>> sorted(lengths[order].view(2, 2).tolist())
        [[1, 2], [8, 9]]
    """
    whole = len(order) // step * step
    if not whole:
        return order
    pools = torch.split(order[:whole], _BATCHES_OF_A_POOL * step)
    batches = [pool[lengths[pool].argsort(stable=True)].view(-1, step) for pool in pools]
    mixed = epoch_order(whole // step, seed ^ -1, epoch)
    return torch.cat([torch.cat(batches)[mixed].flatten(), order[whole:]])


def shared_batch_sizes(count: int, batch_size: int, replicas: int, rank: int) -> list[int]:
    """Compute a rank's batch sizes if all ranks have equally many and no item is left out.

    The rank has the items ``rank, rank + replicas, ...``. All batches are full but the last. If a
    rank would have one batch fewer than another, its last batch gives up an item; with batches of
    one that is impossible, and the rank with one item more has a last batch of two.

    Args:
        count: Items of all ranks together, at least one for each.
        batch_size: Items in a full batch.
        replicas: Number of ranks.
        rank: Index of the rank.

    Example:
        >>> [shared_batch_sizes(9, 4, 2, rank) for rank in (0, 1)]
        [[4, 1], [3, 1]]
    """
    own, most = len(range(rank, count, replicas)), len(range(0, count, replicas))
    batches = min(len(range(0, most, batch_size)), count // replicas)
    sizes = [batch_size] * (batches - 1)
    last = own - sum(sizes)
    if last < 1:
        sizes[-1] -= 1 - last
        last = 1
    return [*sizes, last]
