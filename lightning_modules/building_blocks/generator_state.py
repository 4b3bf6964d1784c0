"""The state of the generators that dropout draws from, on every rank, for an exact resume."""

from typing import TypeVar

import torch
from lightning.pytorch import Trainer
from torch import Tensor

GeneratorState = dict[str, Tensor]
T = TypeVar("T")


def generator_states(trainer: Trainer) -> list[GeneratorState]:
    """State of every rank's generators; a collective, as saving a checkpoint is."""
    own = {"cpu": torch.get_rng_state()}
    device = trainer.strategy.root_device
    if device.type == "cuda":
        own["cuda"] = torch.cuda.get_rng_state(device)
    return of_every_rank(trainer, own)


def of_every_rank(trainer: Trainer, own: T) -> list[T]:
    """Each rank's own, in their order; a collective.

    Not after an exception, which the other ranks may not have seen: then only this rank's own.
    """
    if trainer.interrupted or not torch.distributed.is_initialized():
        return [own]
    rows = [own] * trainer.world_size
    torch.distributed.all_gather_object(rows, own)
    return rows


def restore_generator_state(trainer: Trainer, states: list[GeneratorState]) -> None:
    """Set this rank's generators; another number of ranks has no state to go on from."""
    if len(states) != trainer.world_size:
        return
    state = states[trainer.global_rank]
    torch.set_rng_state(state["cpu"].cpu())
    device = trainer.strategy.root_device
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
