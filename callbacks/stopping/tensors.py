"""Kinds of tensors among weights, buffers and gradients, and how to shard them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def is_plain(value: Any) -> bool:
    """Whether it is neither sharded, sparse, nested, quantised, uninitialised nor a lazy view."""
    if type(value) not in (Tensor, nn.Parameter) or value.layout != torch.strided:
        return False
    return not (value.is_nested or value.is_quantized or value.is_conj() or value.is_neg())


def sharded_like(target: DTensor, whole: Tensor) -> DTensor:
    """Shard a tensor that every rank has as a whole, in the way of another one."""
    mesh = target.device_mesh
    # No source rank: every rank takes its own part.
    return distribute_tensor(
        whole.to(mesh.device_type), mesh, target.placements, src_data_rank=None
    )
