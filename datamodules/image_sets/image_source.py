"""The interface of every source of images."""

from typing import Protocol

from torch import Tensor


class ImageSource(Protocol):
    """Images of one shape, read by index; must be picklable for worker processes."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        ...

    @property
    def stored(self) -> bool:
        """Whether the images are in memory, so that reading them costs next to nothing."""
        ...

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Tensor:
        """Return images of shape ``(N, C, H, W)``, uint8 or floating point in 0..1.

        Args:
            index: Shape ``(N,)``, int64.
        """
        ...
