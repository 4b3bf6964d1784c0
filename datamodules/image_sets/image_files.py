"""Images in files, decoded on reading."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy
import torch
from torch import Tensor

from .image_decoder import ImageDecoder


class ImageFiles:
    """Images decoded from their files on each access, in whatever process reads them.

    Args:
        paths: One file for each image.
        decoder: Decodes images to one shape.
    """

    stored = False

    def __init__(self, paths: Sequence[Path], decoder: ImageDecoder) -> None:
        # One buffer: a list of strings would gradually be copied into each worker process,
        # because reading an object writes its reference count.
        self._paths = numpy.array([os.fsencode(path) for path in paths])
        self.decoder = decoder

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.decoder.channels, self.decoder.height, self.decoder.width

    def __len__(self) -> int:
        return len(self._paths)

    def path(self, index: int) -> Path:
        """Return the file of an image."""
        return Path(os.fsdecode(bytes(self._paths[index])))

    def take(self, index: Tensor) -> Tensor:
        """Return images by index, uint8 of shape ``(N, C, H, W)``."""
        if len(index) == 0:
            return torch.zeros(0, *self.shape, dtype=torch.uint8)
        return torch.stack([self.decoder.read(self.path(i)) for i in index.tolist()])
