"""Gradient norms by layer, computed on the device without a host read per parameter."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from .arguments import any_tensor, number
from .precision import widest

# Single precision serves norms that, even spread over this many entries, consist of entries whose
# p-th powers are normal numbers; smaller norms need double precision.
_ENTRIES_TO_SPREAD_OVER = 10**9
_SHORT_SUM_SIZE = 256
# Orders whose powers are in range if the norms are; for others, entries are scaled first.
_PLAIN = (1.0, 2.0, float("inf"))
# Up to this size double precision costs less than blocks.
_MAX_ENTRIES_OF_SMALL = 8_192


def layer_gradient_norms(
    gradients: Mapping[str, Sequence[Tensor]],
    norm_type: float = 2.0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""Compute the norm of each layer's gradients, taken as one vector, :math:`\|g\|_p`.

    One pass gives the norm of every tensor; the layers' norms follow from those in double
    precision. The powers of the entries are summed in ``dtype``. In single precision that is
    accurate to about 1e-6 for norms inside :func:`single_precision_range`: sums are built by
    blocks, because torch's own on a CPU, entry by entry, are off by 1e-5 to 1e-3. For orders
    other than 1, 2 and infinity, entries are divided by the largest first, in one more pass.

    Args:
        gradients: Gradient tensors by layer, of any shapes and floating or complex dtypes. Sparse
            tensors are coalesced, and their values count. An empty sequence has norm 0.
        norm_type: The order p, positive; ``float("inf")`` gives the largest magnitude.
        dtype: Minimum precision of the sums, ``torch.float32`` or, several times slower on a
            CPU, ``torch.float64``.

    Returns:
        Tensor of shape ``(len(gradients),)`` in the order of ``gradients``, on the device of
        the first gradient, double precision where the device has it.

    Raises:
        TypeError: If ``gradients`` are not floating or complex tensors by layer, or ``norm_type``
            is not a number.
        ValueError: If ``norm_type`` is not positive.

    Example:
        >>> layer_gradient_norms({"a": [torch.tensor([3.0]), torch.tensor([4.0])], "b": []})
        tensor([5., 0.], dtype=torch.float64)
    """
    number("norm_type", norm_type, above=0)
    if not isinstance(gradients, Mapping):
        raise TypeError(f"Expected `gradients` to be tensors by layer, but got {gradients!r}.")
    tensors = [_dense_real(g, norm_type) for layer in gradients.values() for g in layer]
    layer_of = [i for i, layer in enumerate(gradients.values()) for _ in layer]
    device = tensors[0].device if tensors else torch.device("cpu")
    largest = torch.zeros(len(gradients), dtype=widest(device), device=device)
    found = [
        (torch.tensor([layer_of[i] for i in members], device=device), norms.to(largest))
        for members, norms in _tensor_norms(tensors, norm_type, dtype)
    ]
    if norm_type in (1.0, 2.0):
        for index, norms in found:
            largest.index_add_(0, index, norms.pow_(norm_type))
        return largest.pow_(1.0 / norm_type)
    for index, norms in found:
        largest.scatter_reduce_(0, index, norms, "amax")
    if norm_type == float("inf"):
        return largest
    scale, powers = power_scale(largest), torch.zeros_like(largest)
    for index, norms in found:
        powers.index_add_(0, index, (norms / scale[index]).pow_(norm_type))
    return powers.pow_(1.0 / norm_type).mul_(scale)


def power_scale(largest: Tensor) -> Tensor:
    """Choose what to divide entries by, so that their powers neither underflow nor overflow.

    Args:
        largest: Their largest magnitudes.

    Returns:
        Tensor of the same shape: the largest magnitude, or 1 where that is 0 or not finite.

    Example:
        >>> power_scale(torch.tensor([0.5, 0.0]))
        tensor([0.5000, 1.0000])
    """
    return torch.where((largest > 0) & largest.isfinite(), largest, torch.ones_like(largest))


def total_norm(layer_norms: Tensor, norm_type: float = 2.0) -> Tensor:
    """Combine the norms of layers into the norm over all of them.

    Args:
        layer_norms: Shape ``(layers, ...)``.
        norm_type: The order of the layers' norms.

    Returns:
        Tensor of the shape of one layer's norms.

    Raises:
        TypeError: If ``layer_norms`` is not a tensor or ``norm_type`` is not a number.
        ValueError: If ``norm_type`` is not positive.

    Example:
        >>> total_norm(torch.tensor([3.0, 4.0]))
        tensor(5.)
    """
    number("norm_type", norm_type, above=0)
    if not any_tensor("layer_norms", layer_norms).numel():
        return layer_norms.new_zeros(layer_norms.shape[1:])
    if norm_type in _PLAIN:
        norm: Tensor = torch.linalg.vector_norm(layer_norms, norm_type, dim=0)
        return norm
    scale = power_scale(layer_norms.amax(0))
    norm = torch.linalg.vector_norm(layer_norms / scale, norm_type, dim=0)
    return norm * scale


def single_precision_range(norm_type: float) -> tuple[float, float]:
    r"""Return the lowest and highest norm that single-precision sums of p-th powers get right.

    Below, the powers of the entries underflow: two entries of :math:`10^{-25}` have the norm 0.
    The lowest is set so that entries raised to p are normal numbers, even if the norm is spread
    over :math:`10^9` of them. Entries that are divided by the largest need only be normal numbers
    themselves.

    Args:
        norm_type: The order p, positive.

    Returns:
        Lowest and highest norm.

    Raises:
        TypeError: If ``norm_type`` is not a number.
        ValueError: If it is not positive.

    Example:
        >>> low, high = single_precision_range(2.0)
        >>> f"{low:.0e} {high:.0e}"
        '3e-15 2e+19'
    """
    number("norm_type", norm_type, above=0)
    limits = torch.finfo(torch.float32)
    if norm_type in (1.0, 2.0):
        low = (limits.tiny * _ENTRIES_TO_SPREAD_OVER) ** (1 / norm_type)
        return float(low), float(limits.max ** (1 / norm_type))
    # The limit on 1/p avoids an overflow; for orders that small, no norm is in range.
    return float(limits.tiny * _ENTRIES_TO_SPREAD_OVER ** min(1 / norm_type, 30)), limits.max


def _dense_real(gradient: Tensor, norm_type: float) -> Tensor:
    gradient = any_tensor("gradients", gradient).detach()
    if not (gradient.is_floating_point() or gradient.is_complex()):
        raise TypeError(
            f"Expected `gradients` to be floating or complex tensors, but got {gradient.dtype}."
        )
    if gradient.layout != torch.strided:
        # Only the coordinate format may have several values at one position.
        gradient = (gradient.coalesce() if gradient.is_sparse else gradient).values()
    if not gradient.is_complex():
        return gradient
    # Only squared magnitudes are sums over the real and imaginary parts.
    # The gradient of a conjugate is often a lazy one, which is no pair of real numbers in memory.
    return torch.view_as_real(gradient.resolve_conj()) if norm_type == 2.0 else gradient.abs()


def _tensor_norms(
    tensors: list[Tensor], norm_type: float, least: torch.dtype
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield the norms of tensors in groups that can be computed at once, after their positions.

    Accumulated in ``least`` or, if wider, in the tensors' own dtype; on a CPU, those of small
    tensors in double precision.
    """
    groups: dict[tuple[torch.device, torch.dtype, bool], list[int]] = {}
    for i, tensor in enumerate(tensors):
        large = tensor.device.type == "cpu" and tensor.numel() > _MAX_ENTRIES_OF_SMALL
        if tensor.numel():
            groups.setdefault((tensor.device, tensor.dtype, large), []).append(i)
    for (device, dtype, large), members in groups.items():
        batch = [tensors[i] for i in members]
        accumulate = torch.promote_types(dtype, least)
        if device.type == "cpu" and not large:
            accumulate = torch.float64
        if norm_type not in _PLAIN:
            norms = [_scaled_norm(tensor, norm_type, accumulate) for tensor in batch]
        elif large:
            norms = [_blockwise_norm(tensor, norm_type, accumulate) for tensor in batch]
        else:
            norms = list(torch._foreach_norm(batch, norm_type, dtype=accumulate))
        yield members, torch.stack(norms)


def _scaled_norm(tensor: Tensor, norm_type: float, dtype: torch.dtype) -> Tensor:
    """Norm of the entries divided by the largest, times the largest."""
    largest = torch.linalg.vector_norm(tensor, float("inf"), dtype=dtype)
    scale = power_scale(largest)
    scaled = tensor.to(dtype) / scale
    if tensor.device.type == "cpu":
        return _blockwise_norm(scaled, norm_type, dtype) * scale
    norm: Tensor = torch.linalg.vector_norm(scaled, norm_type)
    return norm * scale


def _blockwise_norm(tensor: Tensor, norm_type: float, dtype: torch.dtype) -> Tensor:
    """Norm of the norms of blocks: short sums keep their precision."""
    flat = tensor.reshape(-1)
    blocks = flat[: flat.numel() // _SHORT_SUM_SIZE * _SHORT_SUM_SIZE].view(-1, _SHORT_SUM_SIZE)
    by_block = torch.linalg.vector_norm(blocks, norm_type, dim=1, dtype=dtype)
    if blocks.numel() < flat.numel():
        rest = torch.linalg.vector_norm(flat[blocks.numel() :], norm_type, dtype=dtype)
        by_block = torch.cat([by_block, rest[None]])
    norm: Tensor = torch.linalg.vector_norm(by_block, norm_type, dtype=torch.float64)
    return norm
