"""Norms of weight tensors and of their updates, in one pass over the weights and their copies."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .gradients import single_precision_range
from .precision import at_least_single, widest

# Entries of a block, of which weights and copies fit into a core's L2 cache, and of a short sum.
_BLOCK_SIZE = 131_072
_SHORT_SUM_SIZE = 256
# Tensors up to this size are processed together, in double precision.
_MAX_ENTRIES_OF_SMALL = 8_192


def update_norms(
    before: Sequence[Tensor], after: Sequence[Tensor], *, refresh: bool = False
) -> tuple[list[float], list[float]]:
    r"""Norm of each weight tensor before a step, and of its update, :math:`\|w\|, \|w' - w\|`.

    For tensors on the host. Large ones are processed block by block, so that each block is read
    from memory once. Accurate to about 1e-6 at any magnitude: a sum of squares outside single
    precision's range is computed again in double precision.

    Args:
        before: Dense copies of the weights before the step, of their shapes and dtypes. They may be
            overwritten; with ``refresh``, by the weights.
        after: The weights, floating or complex.
        refresh: Whether to make the copies equal to the weights in the same pass.

    Returns:
        Norms of the weights and of the updates, one of each for each tensor.

    Raises:
        ValueError: If ``before`` and ``after`` differ in number or in a shape.

    Example:
        >>> update_norms([torch.tensor([3.0, 4.0])], [torch.tensor([3.0, 5.0])])
        ([5.0], [1.0])
    """
    shapes = [tuple(copy.shape) for copy in before], [tuple(weight.shape) for weight in after]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"Expected `after` to have the shapes of `before`, {shapes[0]}, but got {shapes[1]}."
        )
    pairs = [(_real(old), _real(new)) for old, new in zip(before, after, strict=True)]
    small = [i for i, (old, _) in enumerate(pairs) if old.numel() <= _MAX_ENTRIES_OF_SMALL]
    found = dict(zip(small, _small_norms([pairs[i] for i in small], refresh), strict=True))
    for i, (old, new) in enumerate(pairs):
        if i not in found:
            found[i] = _large_norms(old, new, refresh)
    return [found[i][0] for i in range(len(pairs))], [found[i][1] for i in range(len(pairs))]


def _real(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def _small_norms(pairs: list[tuple[Tensor, Tensor]], refresh: bool) -> list[tuple[float, float]]:
    if not pairs:
        return []
    old, new = ([at_least_single(tensor) for tensor in side] for side in zip(*pairs, strict=True))
    tensors = [*old, *torch._foreach_sub(new, old)]
    precision = widest(tensors[0].device)
    norms = torch.stack(torch._foreach_norm(tensors, 2.0, dtype=precision)).tolist()
    if refresh:
        torch._foreach_copy_([copy for copy, _ in pairs], [weight for _, weight in pairs])
    return list(zip(norms[: len(pairs)], norms[len(pairs) :], strict=True))


def _large_norms(before: Tensor, after: Tensor, refresh: bool) -> tuple[float, float]:
    lengths, moves = [], []
    for copy, weight in _blocks(before, after):
        old = at_least_single(copy)
        lengths.append(_length(old))
        moves.append(_length(old.sub_(weight)))
        if refresh:
            copy.copy_(weight)
    return math.hypot(*lengths), math.hypot(*moves)


def _blocks(before: Tensor, after: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of both in the order in which the copy's entries lie in memory."""
    dims = sorted(range(before.ndim), key=before.stride, reverse=True)
    flat, weights = before.permute(dims).view(-1), after.permute(dims).reshape(-1)
    return zip(torch.split(flat, _BLOCK_SIZE), torch.split(weights, _BLOCK_SIZE), strict=True)


def _length(block: Tensor) -> float:
    """Norm of a block by rows: short sums keep their precision."""
    if block.numel() % _SHORT_SUM_SIZE == 0:
        low, high = single_precision_range(2.0)
        rows = torch.linalg.vector_norm(block.view(-1, _SHORT_SUM_SIZE), dim=1)
        length = math.sqrt(torch.dot(rows, rows))
        if low <= length <= high:
            return length
    return float(torch.linalg.vector_norm(block, dtype=widest(block.device)))
