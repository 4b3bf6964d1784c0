"""Images of torchvision data sets that are not in memory."""

import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from .image_decoder import ImageDecoder


class TorchvisionImages:
    """Images that torchvision data sets decode on each access, in whatever process reads them.

    Args:
        datasets: Data sets to concatenate; their items start with a Pillow image.
        decoder: Decodes images to one shape.
    """

    stored = False

    def __init__(self, datasets: Sequence[Any], decoder: ImageDecoder) -> None:
        self.datasets = list(datasets)
        self.decoder = decoder
        self._ends = list(accumulate(len(dataset) for dataset in self.datasets))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.decoder.channels, self.decoder.height, self.decoder.width

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def take(self, index: Tensor) -> Tensor:
        """Return images by index, uint8 of shape ``(N, C, H, W)``."""
        if len(index) == 0:
            return torch.zeros(0, *self.shape, dtype=torch.uint8)
        return torch.stack([self._read(i) for i in index.tolist()])

    def _read(self, index: int) -> Tensor:
        which = bisect.bisect_right(self._ends, index)
        dataset = self.datasets[which]
        inside = index - (self._ends[which - 1] if which else 0)
        name = f"image {inside} of torchvision's {type(dataset).__name__}"
        try:
            image = dataset[inside][0]
        # Pillow's readers raise any exception: there is no class for a bad file.
        except Exception as error:
            raise ValueError(
                f"Expected {name} to be an image that can be decoded, but got: {error}. Download "
                "the data set again."
            ) from error
        return self.decoder(image, name)
