"""Norms as numbers on the host."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ....functional.gradients import single_precision_range, total_norm
from ....functional.precision import widest
from ....functional.sharded_norms import layer_norms


def measure_norms(
    tensors: Mapping[str, Sequence[Tensor]], norm_type: float = 2.0
) -> dict[str, float]:
    """Norm of each entry: one pass in single precision and one transfer to the host.

    Norms outside the range of single precision (or truly 0, infinite or NaN) are computed again in
    double precision, if the device has it.
    """
    low, high = single_precision_range(norm_type)
    norms = dict(zip(tensors, layer_norms(tensors, norm_type).tolist(), strict=True))
    # The same on every rank, because the norms are.
    again = {name: tensors[name] for name, norm in norms.items() if not low <= norm <= high}
    if again:
        devices = [tensor.device for parts in again.values() for tensor in parts]
        precision = widest(devices[0]) if devices else torch.float64
        values = layer_norms(again, norm_type, dtype=precision).tolist()
        norms |= zip(again, values, strict=True)
    return norms


def join_norms(norms: Sequence[float], norm_type: float = 2.0) -> float:
    """Norm of a vector whose parts have these norms."""
    if norm_type == 2.0:
        return math.hypot(*norms)
    return float(total_norm(torch.tensor(norms, dtype=torch.float64), norm_type))
