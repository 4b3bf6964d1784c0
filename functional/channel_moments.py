"""Mean and standard deviation of each channel of images that arrive in blocks."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class ChannelMoments:
    r"""Mean and variance of each channel, in double precision.

    Blocks are joined by :math:`M = M_a + M_b + \delta^2 n_a n_b / (n_a + n_b)`, where :math:`M` is
    the sum of squared deviations and :math:`\delta` the difference of the two means, so that no
    precision is lost if the mean is far larger than the standard deviation.

    Attributes:
        count: Pixels per channel so far.
        mean: Float64, shape ``(C,)``.
        squares: Sum of squared deviations from the mean, float64, shape ``(C,)``.

    Reference:
        Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1.

    Example:
        >>> moments = ChannelMoments()
        >>> moments.add(torch.tensor([0.0, 2.0]).view(1, 1, 1, 2))
        >>> moments.add(torch.tensor([4.0]).view(1, 1, 1, 1))
        >>> moments.mean, moments.deviation
        (tensor([2.], dtype=torch.float64), tensor([1.6330], dtype=torch.float64))
    """

    count: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))
    squares: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))

    @property
    def deviation(self) -> Tensor:
        """Standard deviation over all pixels, float64, shape ``(C,)``."""
        return (self.squares / max(self.count, 1)).sqrt()

    def add(self, images: Tensor) -> None:
        """Add a block of shape ``(N, C, H, W)``, of any dtype; it is converted to float64."""
        if images.numel() == 0:
            return
        pixels = images.transpose(0, 1).flatten(1).double()
        count, mean = pixels.shape[1], pixels.mean(1)
        squares = (pixels - mean[:, None]).square_().sum(1)
        total, difference = self.count + count, mean - self.mean
        self.squares = self.squares + squares + difference**2 * (self.count * count / total)
        self.mean = self.mean + difference * (count / total)
        self.count = total
