"""Bytes of every rank for the first one, which writes checkpoints."""

import struct

import torch
from lightning.pytorch import Trainer
from torch import Tensor

# What all ranks get of each at once: nearly always the whole.
_FIRST = 1024
_HEAD = struct.Struct("<qB")


def tell(trainer: Trainer, flags: int, told: bytes) -> tuple[int, list[bytes]]:
    """Give bytes to the first rank; a collective.

    Each rank may give as many as it likes. Of a few, it is one exchange; where any rank has more,
    all know it by then, and the rest goes to the first rank in a second one.

    Args:
        trainer: The Trainer.
        flags: Bits, up to the eighth.
        told: This rank's bytes.

    Returns:
        Every bit that is set on any rank, and each rank's bytes: on the first rank only.
    """
    device = _device(trainer)
    room = _FIRST - _HEAD.size
    mine = _filled(_HEAD.pack(len(told), flags) + told[:room], _FIRST, device)
    gathered = [torch.empty_like(mine) for _ in range(trainer.world_size)]
    torch.distributed.all_gather(gathered, mine)
    firsts = [first.numpy().tobytes() for first in torch.stack(gathered).cpu()]
    lengths, bits = zip(*(_HEAD.unpack_from(first) for first in firsts), strict=True)
    rests = [b""] * len(firsts)
    if max(lengths) > room:
        rests = _rests(trainer, _filled(told[room:], max(lengths) - room, device))
    united = 0
    for some in bits:
        united |= some
    if trainer.global_rank:
        return united, []
    whole = [first[_HEAD.size :] + rest for first, rest in zip(firsts, rests, strict=True)]
    return united, [told[:length] for told, length in zip(whole, lengths, strict=True)]


def _rests(trainer: Trainer, mine: Tensor) -> list[bytes]:
    gathered = None
    if trainer.global_rank == 0:
        gathered = [torch.empty_like(mine) for _ in range(trainer.world_size)]
    torch.distributed.gather(mine, gathered)
    return [rest.cpu().numpy().tobytes() for rest in gathered or []]


def _filled(data: bytes, size: int, device: torch.device) -> Tensor:
    return torch.frombuffer(bytearray(data.ljust(size, b"\0")), dtype=torch.uint8).to(device)


def _device(trainer: Trainer) -> torch.device:
    """The host where ranks exchange what is there, as it comes from there."""
    if "cpu:" in torch.distributed.get_backend_config():
        return torch.device("cpu")
    return trainer.strategy.root_device
