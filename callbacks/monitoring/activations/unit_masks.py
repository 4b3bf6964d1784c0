"""Counts and shares of units by mask."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ....functional.activations import layer_index, layer_means


def count_units(masks: Mapping[str, Tensor]) -> dict[str, int]:
    """Count the units that are True in each mask, in one operation for all masks."""
    if not masks:
        return {}
    widths = [mask.numel() for mask in masks.values()]
    shares = layer_means(torch.cat(list(masks.values())).double(), layer_index(widths))
    return {s: round(share * n) for s, n, share in zip(masks, widths, shares.tolist(), strict=True)}


def shares_of(masks: Mapping[str, Tensor], counts: Mapping[str, int]) -> dict[str, float]:
    """Counts as shares of each mask's units."""
    return {site: share_of(counts[site], mask.numel()) for site, mask in masks.items()}


def share_of(count: int, units: int) -> float:
    """Count as a share of the units; NaN if there are none."""
    return count / units if units else float("nan")
