"""Norms of tensors that are sharded over ranks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.distributed.tensor import DTensor

from .gradients import layer_gradient_norms, power_scale, total_norm


def layer_norms(
    tensors: Mapping[str, Sequence[Tensor]],
    norm_type: float = 2.0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""Compute the norm of each layer's tensors, taken as one vector, whole or sharded.

    Like :func:`layer_gradient_norms`, for layers that may hold DTensors (FSDP2, tensor
    parallelism). The p-th powers of the shards are summed over the ranks that share the layer,
    with one all-reduce for each way of sharding (two if p is not 1, 2 or infinite); so every rank
    must call this with the same layers.

    Args:
        tensors: Tensors by layer.
        norm_type: The order p, positive; ``float("inf")`` gives the largest magnitude.
        dtype: Minimum precision of the sums.

    Returns:
        Tensor of shape ``(len(tensors),)``, the same on every rank.

    Raises:
        TypeError: If ``tensors`` are not floating or complex tensors by layer, or ``norm_type`` is
            not a number.
        ValueError: If ``norm_type`` is not positive.

    Example:
        >>> layer_norms({"a": [torch.tensor([3.0, 4.0])]})
        tensor([5.], dtype=torch.float64)
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(f"Expected `tensors` to be tensors by layer, but got {tensors!r}.")
    whole = {n: [t for t in ts if not isinstance(t, DTensor)] for n, ts in tensors.items()}
    norms = layer_gradient_norms(whole, norm_type, dtype=dtype)
    shards: dict[Any, dict[str, list[Tensor]]] = {}
    for name, layer in tensors.items():
        for tensor in layer:
            if isinstance(tensor, DTensor):
                tensor = _without_partial_sums(tensor)
                placed = shards.setdefault((tensor.device_mesh, tensor.placements), {})
                placed.setdefault(name, []).append(tensor.to_local())
    for (mesh, placements), layers in shards.items():
        local = layer_gradient_norms(
            {n: layers.get(n, []) for n in tensors}, norm_type, dtype=dtype
        )
        norms = norms.to(local.device)
        over_ranks = _over_ranks(local, norm_type, mesh, placements).to(norms.device)
        norms = total_norm(torch.stack([norms, over_ranks]), norm_type)
    return norms


def _without_partial_sums(tensor: DTensor) -> DTensor:
    from torch.distributed.tensor import Replicate

    if any(placement.is_partial() for placement in tensor.placements):
        whole = [Replicate() if p.is_partial() else p for p in tensor.placements]
        tensor = tensor.redistribute(placements=whole)
    return tensor


def _over_ranks(local: Tensor, norm_type: float, mesh: Any, placements: Any) -> Tensor:
    """Norm over the ranks that hold the shards; replicas are counted once."""
    norms = local.to(mesh.device_type)
    if norm_type in (1.0, 2.0):
        return _sum_powers(norms, norm_type, mesh, placements)
    largest = _reduce(norms.clone(), torch.distributed.ReduceOp.MAX, mesh, placements)
    if norm_type == float("inf"):
        return largest
    scale = power_scale(largest)
    return _sum_powers(norms / scale, norm_type, mesh, placements).mul_(scale)


def _sum_powers(norms: Tensor, norm_type: float, mesh: Any, placements: Any) -> Tensor:
    powers = norms.pow(norm_type)
    return _reduce(powers, torch.distributed.ReduceOp.SUM, mesh, placements).pow_(1.0 / norm_type)


def _reduce(values: Tensor, operation: Any, mesh: Any, placements: Any) -> Tensor:
    for dim, placement in enumerate(placements):
        if not placement.is_replicate():  # sharded, also by strides
            torch.distributed.all_reduce(values, operation, group=mesh.get_group(dim))
    return values
