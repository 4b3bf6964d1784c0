"""What the ranks have seen, brought together."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from lightning.pytorch import Trainer

from .observation import News
from .validation import Check

T = TypeVar("T")


@dataclass(frozen=True)
class RankNews:
    """What the doctor of one rank brings to a report.

    Attributes:
        seen: What was seen since the report before.
        check: The validation's loss and score.
        failed: For each monitor, whether it switched itself off.
    """

    seen: News
    check: Check
    failed: tuple[bool, ...]


def gather(trainer: Trainer, own: T | None) -> list[T] | None:
    """What each rank has, in their order; to be called on all ranks at once.

    Args:
        trainer: The Trainer.
        own: What this rank has; None if its doctor is off.

    Returns:
        The same on every rank; None if the doctor of any rank is off.
    """
    ranks: list[T | None] = [own]
    if trainer.world_size > 1:
        ranks *= trainer.world_size
        torch.distributed.all_gather_object(ranks, own)
    found = [rank for rank in ranks if rank is not None]
    return found if len(found) == len(ranks) else None
