"""Find rows with the same content."""

import torch
from torch import Tensor

from .hashing import splitmix64

_BYTES_OF_A_WORD = 8


def content_hashes(rows: Tensor) -> Tensor:
    """Hash each row's bytes: equal rows have equal hashes.

    Each word of 8 bytes is hashed together with its position; the row's hash is the sum, which
    wraps around. Two different rows share a hash once in 2**64 pairs.

    Args:
        rows: Shape ``(N, ...)``, any dtype.

    Returns:
        Tensor of shape ``(N,)``, int64.

    Example:
        >>> first, second, third = content_hashes(torch.tensor([[1, 2], [2, 1], [1, 2]]))
        >>> bool(first == third), bool(first == second)
        (True, False)
    """
    if rows.numel() == 0:
        return torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    octets = rows.reshape(len(rows), -1).contiguous().view(torch.uint8)
    missing = -octets.shape[1] % _BYTES_OF_A_WORD
    if missing:
        octets = torch.nn.functional.pad(octets, (0, missing))
    elif octets.storage_offset() % _BYTES_OF_A_WORD:
        octets = octets.clone()
    words = octets.view(torch.int64)
    places = splitmix64(torch.arange(words.shape[1], device=rows.device))
    return splitmix64(words ^ places).sum(1)


def first_alike(hashes: Tensor) -> Tensor:
    """Find, for each position, the first one with the same hash, which may be itself.

    Args:
        hashes: Shape ``(N,)``, int64.

    Returns:
        Tensor of shape ``(N,)``, int64.

    Example:
        >>> first_alike(torch.tensor([7, 5, 7, 7]))
        tensor([0, 1, 0, 0])
    """
    _, group = torch.unique(hashes, return_inverse=True)
    position = torch.arange(len(hashes), device=hashes.device)
    firsts = position.new_full(hashes.shape, len(hashes))
    return firsts.scatter_reduce_(0, group, position, "amin")[group]
