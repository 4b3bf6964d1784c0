"""Scaling and normalisation of a batch of images on its device."""

import torch
from torch import Tensor

from ...functional.resizing import cover_and_cut


class BatchFinish:
    """Convert the pixels of a data set into the inputs of a network.

    Pixels stay bytes until they are on the device, for a quarter of the traffic.

    Args:
        mean: Mean of each channel, shape ``(1, C, 1, 1)``.
        std: Standard deviation of each channel, of the same shape.
        channels: Number of channels to which images of one channel are repeated.
        size: Height and width that images in memory are resized and cropped to; None keeps theirs.

    Example:
        >>> finish = BatchFinish(torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 1, 1, 1), channels=1)
        >>> white = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)
        >>> finish.normalized(finish.scaled(white), torch.float32).item()
        0.5
    """

    def __init__(
        self, mean: Tensor, std: Tensor, *, channels: int, size: tuple[int, int] | None = None
    ) -> None:
        self.mean, self.std = mean, std
        self.channels, self.size = channels, size

    def scaled(self, images: Tensor) -> Tensor:
        """Return images in 0..1, at least float32, in the network's input size."""
        x = images if images.dtype == torch.float64 else images.float()
        x = x if images.is_floating_point() else x / 255
        return x if self.size is None else cover_and_cut(x, *self.size)

    def normalized(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """Normalise images by mean and standard deviation, in the network's dtype."""
        if self.mean.device != images.device:
            # Kept, so that only the first batch waits for the copy.
            self.mean, self.std = self.mean.to(images.device), self.std.to(images.device)
        x = (images - self.mean.to(images.dtype)) / self.std.to(images.dtype)
        x = x if x.shape[1] == self.channels else x.repeat(1, self.channels, 1, 1)
        return x.to(dtype)
