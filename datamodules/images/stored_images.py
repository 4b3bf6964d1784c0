"""Images in memory."""

from torch import Tensor


class StoredImages:
    """Images in one tensor.

    Args:
        pixels: Shape ``(N, C, H, W)``, uint8 or floating point in 0..1.

    Example:
        >>> import torch
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
        """Images by their index, shape ``(N, C, H, W)``."""
        # index_select is many times faster than indexing.
        return self.pixels.index_select(0, index)
