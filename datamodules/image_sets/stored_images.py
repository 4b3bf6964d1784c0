"""Images in memory."""

import torch
from torch import Tensor

from ...functional.color import grayscale

_IMAGES_OF_A_BLOCK = 1024


class StoredImages:
    """Images in one tensor.

    Args:
        pixels: Shape ``(N, C, H, W)``, uint8 or floating point in 0..1.

    Example:
        >>> images = StoredImages(torch.zeros(5, 1, 2, 2))
        >>> images.take(torch.tensor([3, 1])).shape
        torch.Size([2, 1, 2, 2])
    """

    stored = True

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, index: Tensor) -> Tensor:
        """Return images by index, shape ``(N, C, H, W)``."""
        # index_select is many times faster than indexing.
        return self.pixels.index_select(0, index)

    def with_channels(self, channels: int) -> "StoredImages":
        """Convert the images to greyscale, or remove transparency, if requested.

        One channel is kept as one, because repeating it on the device costs nothing.

        Raises:
            ValueError: If the images cannot be converted to this number of channels.
        """
        have = self.pixels.shape[1]
        if have == channels or (have == 1 and channels == 3):
            return self
        if channels == 3 and have == 4:
            return StoredImages(self.pixels[:, :3].contiguous())
        if channels == 1 and have in (3, 4):
            grey = [_grey(block[:, :3]) for block in torch.split(self.pixels, _IMAGES_OF_A_BLOCK)]
            return StoredImages(torch.cat(grey))
        raise ValueError(
            f"Expected images that can be converted to {channels} channels, but they have {have}. "
            "Leave out `image_channels`."
        )


def _grey(images: Tensor) -> Tensor:
    if images.is_floating_point():
        return grayscale(images)
    return grayscale(images.float()).round().to(images.dtype)
