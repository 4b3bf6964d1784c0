"""Gradient norms by layer, computed on the device without a host read per parameter."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from .precision import widest

# Norms below this need double precision: entries whose p-th power is no longer a normal
# single-precision number could carry them, even spread over 10^9 entries.
_ENTRIES_TO_SPREAD_OVER = 10**9
_SHORT_SUM_SIZE = 256
# Orders whose powers are in range where the norms are; others are taken of scaled entries.
_PLAIN = (1.0, 2.0, float("inf"))
# Up to here double precision costs less than blocks.
_MAX_ENTRIES_OF_SMALL = 8_192


def layer_gradient_norms(
    gradients: Mapping[str, Sequence[Tensor]],
    norm_type: float = 2.0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""Norm of each layer's gradients taken as one vector, :math:`\|g\|_p`.

    One pass gives the norm of every tensor; the layers' norms follow from those in double
    precision. The powers of the entries are summed in ``dtype``. In single precision that is
    right to about 1e-6 for norms inside :func:`single_precision_range`: sums are built by
    blocks, because torch's own on a CPU, entry by entry, are off by 1e-5 to 1e-3. For orders
    other than 1, 2 and infinity entries are divided by the largest first, in one more pass.

    Args:
        gradients: Gradient tensors by layer, of any shapes and floating or complex dtypes.
            Of sparse tensors, coalesced, the values count. An empty sequence has norm 0.
        norm_type: The order p, positive; ``float("inf")`` gives the largest magnitude.
        dtype: Least precision of the sums, ``torch.float32`` or, several times slower on a
            CPU, ``torch.float64``.

    Returns:
        Tensor of shape ``(len(gradients),)`` in the order of ``gradients``, on the device of
        the first gradient, double precision where the device has it.

    Raises:
        ValueError: If ``norm_type`` is not positive.

    Example:
        >>> layer_gradient_norms({"a": [torch.tensor([3.0]), torch.tensor([4.0])], "b": []})
        tensor([5., 0.], dtype=torch.float64)
    """
    if not norm_type > 0:
        raise ValueError(f"Expected `norm_type` to be positive, but got {norm_type}.")
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
    """What to divide entries by so that their powers neither vanish nor overflow.

    Args:
        largest: The largest magnitudes of them.

    Returns:
        Tensor of the same shape: 1 where nothing is there, or not finite.

    Example:
        >>> power_scale(torch.tensor([0.5, 0.0]))
        tensor([0.5000, 1.0000])
    """
    return torch.where((largest > 0) & largest.isfinite(), largest, torch.ones_like(largest))


def total_norm(layer_norms: Tensor, norm_type: float = 2.0) -> Tensor:
    """Norm over all layers from the layers' norms.

    Args:
        layer_norms: Shape ``(layers, ...)``.
        norm_type: The order that the layers' norms were taken with.

    Returns:
        Tensor of the shape of one layer's.

    Example:
        >>> total_norm(torch.tensor([3.0, 4.0]))
        tensor(5.)
    """
    if not layer_norms.numel():
        return layer_norms.new_zeros(layer_norms.shape[1:])
    if norm_type in _PLAIN:
        norm: Tensor = torch.linalg.vector_norm(layer_norms, norm_type, dim=0)
        return norm
    scale = power_scale(layer_norms.amax(0))
    norm = torch.linalg.vector_norm(layer_norms / scale, norm_type, dim=0)
    return norm * scale


def single_precision_range(norm_type: float) -> tuple[float, float]:
    r"""Lowest and highest norm that sums of p-th powers in single precision give correctly.

    Below, the powers of the entries vanish: two entries of :math:`10^{-25}` have the norm 0.
    The lowest is set so that entries that carry the norm are normal numbers when raised to p,
    even when it is spread over a thousand million of them. Entries that are divided by the
    largest need only be normal numbers themselves.

    Args:
        norm_type: The order p, positive.

    Returns:
        Lowest and highest norm.

    Example:
        >>> low, high = single_precision_range(2.0)
        >>> f"{low:.0e} {high:.0e}"
        '3e-15 2e+19'
    """
    limits = torch.finfo(torch.float32)
    if norm_type in (1.0, 2.0):
        low = (limits.tiny * _ENTRIES_TO_SPREAD_OVER) ** (1 / norm_type)
        return float(low), float(limits.max ** (1 / norm_type))
    # Of less than a third of an order, which is no norm, nothing is in range.
    return float(limits.tiny * _ENTRIES_TO_SPREAD_OVER ** min(1 / norm_type, 30)), limits.max


def _dense_real(gradient: Tensor, norm_type: float) -> Tensor:
    gradient = gradient.detach()
    if gradient.layout != torch.strided:
        # Only of coordinates there may be several of one place.
        gradient = (gradient.coalesce() if gradient.is_sparse else gradient).values()
    if not gradient.is_complex():
        return gradient
    # Only squares of magnitudes are sums over the two parts.
    return torch.view_as_real(gradient) if norm_type == 2.0 else gradient.abs()


def _tensor_norms(
    tensors: list[Tensor], norm_type: float, least: torch.dtype
) -> Iterator[tuple[list[int], Tensor]]:
    """Norms of the tensors that can be taken at once, group by group, and which tensors they are.

    Accumulated in ``least`` or, if wider, in the tensors' own dtype.
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
    """Norm of the entries over the largest, times that."""
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
