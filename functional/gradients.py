"""Gradient norms by layer, computed on the device without a host read per parameter."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def layer_gradient_norms(
    gradients: Mapping[str, Sequence[Tensor]], norm_type: float = 2.0
) -> Tensor:
    r"""Norm of each layer's gradients taken as one vector, :math:`\|g\|_p`.

    One multi-tensor pass gives the norm of every tensor in at least single precision; the
    layers' norms follow from those in double precision, so that neither many nor tiny nor
    huge entries overflow or vanish on the way.

    Args:
        gradients: Gradient tensors by layer, of any shapes and floating or complex dtypes.
            Sparse tensors are coalesced. An empty sequence has norm 0.
        norm_type: The order p, positive; ``float("inf")`` gives the largest magnitude.

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
    tensors = [_dense_real(g) for layer in gradients.values() for g in layer]
    layer_of = [i for i, layer in enumerate(gradients.values()) for _ in layer]
    device = tensors[0].device if tensors else torch.device("cpu")
    dtype = torch.float32 if device.type == "mps" else torch.float64
    result = torch.zeros(len(gradients), dtype=dtype, device=device)
    if not tensors:
        return result
    norms = torch.stack([n.to(device) for n in _tensor_norms(tensors, norm_type)]).to(dtype)
    index = torch.tensor(layer_of, device=device)
    if norm_type == float("inf"):
        return result.scatter_reduce_(0, index, norms, "amax")
    powers: Tensor = result.index_add_(0, index, norms.pow(norm_type))
    return powers.pow(1.0 / norm_type)


def total_norm(layer_norms: Tensor, norm_type: float = 2.0) -> Tensor:
    """Norm over all layers from the layers' norms.

    Args:
        layer_norms: Shape ``(layers,)``.
        norm_type: The order that the layers' norms were taken with.

    Returns:
        Scalar tensor.

    Example:
        >>> total_norm(torch.tensor([3.0, 4.0]))
        tensor(5.)
    """
    if not layer_norms.numel():
        return layer_norms.new_zeros(())
    norm: Tensor = torch.linalg.vector_norm(layer_norms, norm_type)
    return norm


def _dense_real(gradient: Tensor) -> Tensor:
    gradient = gradient.detach()
    if gradient.is_sparse:
        gradient = gradient.coalesce().values()
    return torch.view_as_real(gradient) if gradient.is_complex() else gradient


def _tensor_norms(tensors: list[Tensor], norm_type: float) -> list[Tensor]:
    """Norm of each tensor; half precision is accumulated in single precision."""
    norms: list[Tensor | None] = [None] * len(tensors)
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for i, tensor in enumerate(tensors):
        if tensor.numel() == 0:
            norms[i] = torch.zeros((), dtype=torch.float32, device=tensor.device)
        else:
            groups.setdefault((tensor.device, tensor.dtype), []).append(i)
    for (_, dtype), members in groups.items():
        accumulate = torch.promote_types(dtype, torch.float32)
        batch = [tensors[i] for i in members]
        found = torch._foreach_norm(batch, norm_type, dtype=accumulate)
        for i, norm in zip(members, found, strict=True):
            norms[i] = norm
    return [n for n in norms if n is not None]
