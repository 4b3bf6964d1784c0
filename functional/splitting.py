"""Divide items into splits and folds, each class by its share."""

import torch
from torch import Tensor


def split_by_class(classes: Tensor, sizes: list[int], generator: torch.Generator) -> list[Tensor]:
    """Random disjoint splits in which each class has its share, to within one item.

    Every class keeps at least one item out of the splits, and a class too small to have one in
    each has it in the first of them or in none; so a split is smaller than asked where there are
    more classes than items to spare. One number for all classes gives plain random splits.

    Args:
        classes: Class of each item, int64 of shape ``(N,)``, not negative.
        sizes: Items wanted in each split; the rest belongs to none.
        generator: Source of the draws.

    Returns:
        Items of each split, then those of none: int64, ascending.

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
    """Divide a total in proportion to counts, by the method of the largest remainder.

    Args:
        counts: Weight of each share, int64 of shape ``(C,)``.
        total: What to divide.
        room: The most that each share may have, int64 of shape ``(C,)``; if it is too little for
            the total, less is given.
        generator: Decides between equal remainders.

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
    """Fold of each item: the items of each class are dealt out like cards.

    Args:
        classes: Class of each item, int64 of shape ``(N,)``, not negative.
        num_folds: Number of folds.
        generator: Source of the draws.

    Returns:
        Folds in ``0..num_folds - 1``, int64 of shape ``(N,)``; the folds' sizes, of all items and
        of each class, differ by one at most.

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
    """Weight of each item by which every class that is there is drawn equally often.

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
    """Items in random order, then by class; and how many each class has."""
    shuffled = torch.randperm(len(classes), generator=generator)
    grouped = shuffled[classes[shuffled].argsort(stable=True)]
    counts = classes.bincount()
    return grouped, counts[counts > 0]
