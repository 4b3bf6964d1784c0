"""Norms as numbers on the host."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...functional.gradients import single_precision_range
from ...functional.sharded_norms import layer_norms


def measure_norms(
    tensors: Mapping[str, Sequence[Tensor]], norm_type: float = 2.0
) -> dict[str, float]:
    """Norm of each entry: one pass in single precision and one transfer to the host.

    Where a norm is out of single precision's range (or really 0, infinite or NaN) all are taken
    again in double precision.
    """
    low, high = single_precision_range(norm_type)
    values: list[float] = layer_norms(tensors, norm_type).tolist()
    if not all(low <= value <= high for value in values):
        values = layer_norms(tensors, norm_type, dtype=torch.float64).tolist()
    return dict(zip(tensors, values, strict=True))


def join_norms(norms: Sequence[float], norm_type: float = 2.0) -> float:
    """Norm of the vector that the parts with these norms make."""
    joined: Tensor = torch.linalg.vector_norm(torch.tensor(norms, dtype=torch.float64), norm_type)
    return float(joined)
