"""Values that each rank has of its own, in the checkpoint that the first one writes."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer


def of_ranks(trainer: Trainer, own: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of all ranks; a collective, as saving a checkpoint is.

    None after an exception, when the others may be elsewhere.
    """
    alone = trainer.world_size == 1 or not torch.distributed.is_initialized()
    if alone or trainer.interrupted:
        return []
    rows: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(rows, own)
    return rows


def of_this_rank(trainer: Trainer, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """This rank's; nothing where there are as many as ranks no more."""
    return rows[trainer.global_rank] if len(rows) == trainer.world_size else {}
