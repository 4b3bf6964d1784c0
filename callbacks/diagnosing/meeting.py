"""Exchange of data between the doctors of all ranks."""

from typing import Any, TypeVar

import torch
from lightning.pytorch import Trainer

from ..monitoring.guard import switch_off, switch_off_with_others

T = TypeVar("T")


class Meeting:
    """Gather the data of the doctors of all ranks, for as long as all of them are on.

    A rank whose doctor failed takes part once more to say so, because the others wait for it.
    After that all are off, and none waits for another.
    """

    def __init__(self) -> None:
        self._is_over = False

    def hold(self, doctor: Any, trainer: Trainer, own: T | None) -> list[T] | None:
        """Return the data of each rank, in order of rank; to be called on all ranks at once.

        Args:
            doctor: This rank's doctor, which is switched off if that of any rank is.
            trainer: The Trainer.
            own: Data of this rank; ignored if its doctor is off.

        Returns:
            The same on every rank; None if the doctor of any rank is off.
        """
        if self._is_over or (doctor.failed and trainer.world_size == 1):
            return None
        ranks = None
        try:
            ranks = _gather(trainer, None if doctor.failed else own)
        except Exception as error:
            switch_off(doctor, error)
        if ranks is None:
            switch_off_with_others(doctor)
            self._is_over = True
        return ranks


def _gather(trainer: Trainer, own: T | None) -> list[T] | None:
    ranks: list[T | None] = [own]
    if trainer.world_size > 1:
        ranks *= trainer.world_size
        torch.distributed.all_gather_object(ranks, own)
    found = [rank for rank in ranks if rank is not None]
    return found if len(found) == len(ranks) else None
