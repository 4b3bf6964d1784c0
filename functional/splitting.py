"""Divide items into splits and folds, stratified by class."""

import torch
from torch import Tensor


def split_by_class(classes: Tensor, sizes: list[int], generator: torch.Generator) -> list[Tensor]:
    """Draw random disjoint splits in which each class has its share, to within one item.

    Every class keeps at least one item out of the splits, and a class too small for one item in
    each has it in the first ones or in none; so a split is smaller than requested if there are
    more classes than items to spare. If all items are of one class, the splits are purely random.

    Args:
        classes: Class of each item, int64 of shape ``(N,)``, not negative.
        sizes: Requested number of items in each split; the rest is in no split.
        generator: Random number generator.

    Returns:
        Indices of the items of each split, then of the rest: int64, ascending.

    Example:
        >>> classes = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
        >>> test, rest = split_by_class(classes, [4], torch.Generator().manual_seed(0))
        >>> classes[test].tolist()
        [0, 0, 1, 1]
    """
    grouped, counts = _grouped(classes, generator)
    place = torch.arange(len(classes)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    first, room, splits = torch.zeros_like(counts), counts - 1, []
    for size in sizes:
        given = apportion(counts, size, room, generator)
        chosen = (place >= first.repeat_interleave(counts)) & (
            place < (first + given).repeat_interleave(counts)
        )
        splits.append(grouped[chosen].sort().values)
        first, room = first + given, room - given
    rest = grouped[place >= first.repeat_interleave(counts)].sort().values
    return [*splits, rest]


def apportion(counts: Tensor, total: int, room: Tensor, generator: torch.Generator) -> Tensor:
    """Divide a total in proportion to counts, by the largest-remainder method.

    Args:
        counts: Weight of each share, int64 of shape ``(C,)``.
        total: The total.
        room: Upper limit of each share, int64 of shape ``(C,)``; if they add up to less than the
            total, only that is distributed.
        generator: Random number generator, which breaks ties between remainders.

    Returns:
        Shares, int64 of shape ``(C,)``.

    Example:
        >>> counts = torch.tensor([50, 30, 20])
        >>> apportion(counts, 9, counts, torch.Generator())
        tensor([4, 3, 2])

    Reference:
        Hamilton's method: Balinski and Young 1982, "Fair representation".
    """
    quota = counts.double() * (total / max(1, int(counts.sum())))
    given = torch.minimum(quota.floor().long(), room)
    while (missing := min(total, int(room.sum())) - int(given.sum())) > 0:
        shuffled = torch.randperm(len(counts), generator=generator)
        remainder = torch.where(given < room, quota - given, -torch.inf)[shuffled]
        open_to = shuffled[remainder.argsort(descending=True, stable=True)]
        given[open_to[: min(missing, int((given < room).sum()))]] += 1
    return given


def fold_of_each(classes: Tensor, num_folds: int, generator: torch.Generator) -> Tensor:
    """Assign each item to a fold: the items of each class are dealt out like cards.

    Args:
        classes: Class of each item, int64 of shape ``(N,)``, not negative.
        num_folds: Number of folds.
        generator: Random number generator.

    Returns:
        Folds in ``0..num_folds - 1``, int64 of shape ``(N,)``; the folds' sizes, in total and per
        class, differ by at most one.

    Example:
        >>> classes = torch.tensor([0, 0, 0, 1, 1, 1])
        >>> fold_of_each(classes, 3, torch.Generator().manual_seed(0)).sort().values
        tensor([0, 0, 1, 1, 2, 2])
    """
    grouped, _ = _grouped(classes, generator)
    folds = torch.empty_like(grouped)
    folds[grouped] = torch.arange(len(grouped)) % num_folds
    return folds


def balancing_weights(classes: Tensor) -> Tensor:
    """Weight items so that every class that occurs is drawn equally often.

    Args:
        classes: Class of each item, int64 of shape ``(N,)``, not negative.

    Returns:
        Weights, float64 of shape ``(N,)``, with sum 1.

    Example:
        >>> balancing_weights(torch.tensor([0, 0, 2]))
        tensor([0.2500, 0.2500, 0.5000], dtype=torch.float64)
    """
    weights = classes.bincount()[classes].double().reciprocal()
    return weights / weights.sum()


def _grouped(classes: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shuffle items and sort them by class; also return the number of items per class."""
    shuffled = torch.randperm(len(classes), generator=generator)
    grouped = shuffled[classes[shuffled].argsort(stable=True)]
    counts = classes.bincount()
    return grouped, counts[counts > 0]
