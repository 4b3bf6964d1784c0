"""Send bytes from every rank to rank 0, which writes checkpoints."""

import struct
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

# Bytes of each rank in the first exchange, between all ranks: nearly always enough.
_FIRST_BYTES = 1024
# Length and flags.
_HEAD = struct.Struct("=qB")


def tell(trainer: Trainer, flags: int, told: bytes) -> tuple[int, list[bytes]]:
    """Send bytes to rank 0; a collective.

    Each rank may send any number. A few take a single exchange; if any rank has more, all ranks
    know by then, and the rest goes to rank 0 in a second one.

    Args:
        trainer: The Trainer.
        flags: Up to eight bits.
        told: This rank's bytes.

    Returns:
        The bits that are set on any rank, and, on rank 0 only, each rank's bytes.
    """
    device = _device(trainer)
    room = _FIRST_BYTES - _HEAD.size
    mine = _filled(_HEAD.pack(len(told), flags) + told[:room], _FIRST_BYTES, device)
    heads = torch.empty(trainer.world_size, _FIRST_BYTES, dtype=torch.uint8, device=device)
    torch.distributed.all_gather(list(heads), mine)
    firsts = heads.cpu().numpy()
    lengths = firsts[:, :8].copy().view(np.int64).ravel()
    united = int(np.bitwise_or.reduce(firsts[:, 8]))
    rests = None
    if lengths.max() > room:
        rests = _rests(trainer, _filled(told[room:], int(lengths.max()) - room, device))
    if trainer.global_rank:
        return united, []
    bodies = firsts[:, _HEAD.size :]
    whole = bodies if rests is None else np.concatenate([bodies, rests], axis=1)
    return united, [told[:length].tobytes() for told, length in zip(whole, lengths, strict=True)]


def _rests(trainer: Trainer, mine: Tensor) -> Any:
    """Gather the rest of all ranks on rank 0, the only one that needs it."""
    gathered = None
    if trainer.global_rank == 0:
        gathered = [torch.empty_like(mine) for _ in range(trainer.world_size)]
    torch.distributed.gather(mine, gathered)
    return torch.stack(gathered).cpu().numpy() if gathered else None


def _filled(data: bytes, size: int, device: torch.device) -> Tensor:
    return torch.frombuffer(bytearray(data.ljust(size, b"\0")), dtype=torch.uint8).to(device)


def _device(trainer: Trainer) -> torch.device:
    """Return the CPU if ranks can exchange its tensors, because the bytes come from there."""
    if "cpu:" in torch.distributed.get_backend_config():
        return torch.device("cpu")
    return trainer.strategy.root_device
