"""Masks of units by site: joined over ranks, and counted."""

from collections.abc import Mapping

import torch
from lightning.pytorch import Trainer
from torch import Tensor

_Masks = Mapping[str, Tensor]


def join_masks(trainer: Trainer, masks: _Masks | None) -> dict[str, Tensor] | None:
    """Join the masks of all ranks; every rank must call this.

    After an exception, which other ranks may not have raised, only this rank's own are returned.

    Args:
        trainer: The Trainer.
        masks: This rank's masks by site; None from a rank whose monitor is off.

    Returns:
        Masks by site, True where any rank's is, on the host; None if the monitor of any rank is
        off.
    """
    own = None if masks is None else {site: mask.cpu() for site, mask in masks.items()}
    if trainer.world_size == 1 or trainer.interrupted:
        return own
    ranks: list[_Masks | None] = [None] * trainer.world_size
    torch.distributed.all_gather_object(ranks, own)
    if any(rank is None for rank in ranks):
        return None
    joined: dict[str, Tensor] = {}
    for site in dict.fromkeys(site for rank in ranks for site in rank or ()):
        seen = [rank[site] for rank in ranks if rank and site in rank]
        # A width that differs between ranks is not a number of units.
        if len({len(mask) for mask in seen}) == 1:
            joined[site] = torch.stack(seen).any(0)
    return joined


def count_units(masks: _Masks) -> dict[str, int]:
    """Count the units that are True in each mask."""
    return {site: int(mask.count_nonzero()) for site, mask in masks.items()}
