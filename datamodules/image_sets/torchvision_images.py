"""Images of torchvision data sets that are not in memory."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset

from .image_decoder import ImageDecoder


class TorchvisionImages:
    """Images that torchvision data sets decode on each access, in whatever process reads them.

    Args:
        dataset: The data sets of all splits; their items start with a Pillow image.
        decoder: Decodes images to one shape.
    """

    stored = False

    def __init__(self, dataset: ConcatDataset[Any], decoder: ImageDecoder) -> None:
        self.dataset, self.decoder = dataset, decoder

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.decoder.channels, self.decoder.height, self.decoder.width

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, index: Tensor) -> Tensor:
        """Return images by index, uint8 of shape ``(N, C, H, W)``."""
        if len(index) == 0:
            return torch.zeros(0, *self.shape, dtype=torch.uint8)
        return torch.stack([self._read(i) for i in index.tolist()])

    def _read(self, index: int) -> Tensor:
        name = f"image {index} of torchvision's {type(self.dataset.datasets[0]).__name__}"
        try:
            image = self.dataset[index][0]
        # Pillow's readers raise any exception: there is no class for a bad file.
        except Exception as error:
            raise ValueError(
                f"Expected {name} to be an image that can be decoded, but got: {error}. Download "
                "the data set again."
            ) from error
        return self.decoder(image, name)
