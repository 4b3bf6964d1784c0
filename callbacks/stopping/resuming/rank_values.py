"""Values that differ between ranks, in the checkpoint that rank 0 writes."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer


def of_ranks(trainer: Trainer, own: dict[str, Any]) -> list[dict[str, Any]]:
    """Gather the values of all ranks; a collective, like saving a checkpoint.

    Empty after an exception, when other ranks may be elsewhere, and without other ranks.
    """
    alone = trainer.world_size == 1 or not torch.distributed.is_initialized()
    if alone or trainer.interrupted:
        return []
    rows: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(rows, own)
    return rows


def of_this_rank(trainer: Trainer, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return this rank's values; nothing if the number of ranks has changed."""
    return rows[trainer.global_rank] if len(rows) == trainer.world_size else {}
