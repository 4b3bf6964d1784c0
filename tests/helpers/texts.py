"""Small texts of token ids, and arguments that make small networks for them."""

from typing import Any

import torch
from torch import Tensor

ARCHITECTURES = ["bag", "conv"]
SMALL: dict[str, Any] = {
    "buckets": 200,
    "embedding_dim": 8,
    "channels": (5, 6, 4),
    "kernel_sizes": (1, 3, 5),
}


def texts(rows: int = 16, length: int = 12, words: int = 40, seed: int = 0) -> Tensor:
    """Random texts of random lengths, padded on the right."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, words, (rows, length), generator=generator)
    lengths = torch.randint(1, length + 1, (rows, 1), generator=generator)
    return ids * (torch.arange(length) < lengths)
