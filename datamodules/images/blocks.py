"""Read a source of images from one end to the other."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import prod

import torch
from torch import Tensor

from ..image_sets.image_source import ImageSource

_NUMBERS_OF_A_BLOCK = 2**20  # Small enough for the processor's cache.
_FILES_OF_A_BLOCK = 64


def blocks(source: ImageSource, index: Tensor, threads: int = 8) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of indices and their images, in order, never all of them in memory.

    Files are decoded on several threads, which Pillow allows.

    Args:
        source: Of the images.
        index: Which images, shape ``(N,)``, int64.
        threads: How many blocks are read at once from files.

    Yields:
        Indices of shape ``(B,)`` and images of shape ``(B, C, H, W)``.
    """
    size = max(_NUMBERS_OF_A_BLOCK // prod(source.shape), 1)
    if source.stored:
        for part in torch.split(index, size):
            yield part, source.take(part)
        return
    parts = torch.split(index, min(size, _FILES_OF_A_BLOCK))
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(parts), threads):
            group = parts[start : start + threads]
            yield from zip(group, pool.map(source.take, group), strict=True)
