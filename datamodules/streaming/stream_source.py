"""A stream as a source of images."""

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .streamed_images import StreamedImages


class StreamSource:
    """Images of a stream by index, to be read sequentially.

    Args:
        streamed: The images with their labels.
    """

    stored = False

    def __init__(self, streamed: "StreamedImages") -> None:
        self.streamed = streamed

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width, from the first image."""
        channels, height, width = self.take(torch.zeros(1, dtype=torch.int64)).shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        return len(self.streamed)

    def take(self, index: Tensor) -> Tensor:
        """Return images by index, uint8 of shape ``(N, C, H, W)``."""
        images: Tensor = self.streamed.__getitems__(index)[0]
        return images
