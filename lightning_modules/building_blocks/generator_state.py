"""State of the random generators that dropout uses, on every rank, for an exact resume."""

from typing import TypeVar

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from ...functional.devices import random_state, set_random_state

GeneratorState = dict[str, Tensor]
T = TypeVar("T")


def generator_states(trainer: Trainer) -> list[GeneratorState]:
    """Return the state of every rank's generators; a collective, like saving a checkpoint."""
    devices = {torch.device("cpu"), trainer.strategy.root_device}
    states = {device.type: random_state(device) for device in devices}
    own = {kind: state for kind, state in states.items() if state is not None}
    return of_every_rank(trainer, own)


def of_every_rank(trainer: Trainer, own: T) -> list[T]:
    """Gather an object from each rank, in rank order; a collective.

    After an exception, which other ranks may not have seen, only this rank's own is returned.
    """
    if trainer.interrupted or not torch.distributed.is_initialized():
        return [own]
    rows = [own] * trainer.world_size
    torch.distributed.all_gather_object(rows, own)
    return rows


def restore_generator_state(trainer: Trainer, states: list[GeneratorState]) -> None:
    """Restore this rank's generators, unless the number of ranks has changed."""
    if len(states) != trainer.world_size:
        return
    state = states[trainer.global_rank]
    for device in {torch.device("cpu"), trainer.strategy.root_device}:
        if device.type in state:  # The run may go on on another kind of device.
            set_random_state(device, state[device.type])
