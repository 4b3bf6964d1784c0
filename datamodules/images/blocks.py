"""Read a whole source of images in blocks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import prod

import torch
from torch import Tensor

from ..image_sets.image_source import ImageSource

_NUMBERS_OF_A_BLOCK = 2**20  # Small enough for the processor's cache.
_FILES_OF_A_BLOCK = 64


def blocks(source: ImageSource, index: Tensor, threads: int = 8) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield blocks of indices and their images, in order, without holding all in memory.

    Files are decoded on several threads, which Pillow supports.

    Args:
        source: Source of the images.
        index: Indices of the images, shape ``(N,)``, int64.
        threads: Number of blocks of files that are read at once.

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
