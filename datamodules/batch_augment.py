"""Augmentation of a whole batch, each image by its own draw."""

import math

import torch
from torch import Tensor, nn

from ..functional.augmentation import affine_warp, keyed_uniform
from ..functional.choices import choose

# Largest rotation in degrees, shift as a share of the side, and share of the side cut off.
_PRESETS: dict[str, tuple[float, float, float]] = {
    "none": (0.0, 0.0, 0.0),
    "light": (5.0, 0.05, 0.0),
    "standard": (10.0, 0.1, 0.1),
    "strong": (20.0, 0.15, 0.2),
}
_DRAWS = 6


class BatchAugment(nn.Module):
    """Rotate, shift and crop every image of a batch by its own random amount, in one warp.

    Args:
        preset: ``"none"``, ``"light"``, ``"standard"`` or ``"strong"``.
        generator: Source of the draws; None takes a generator of its own.
        seed: Seed of the own generator and of draws by index.

    Raises:
        ValueError: If ``preset`` is not known.

    Example:
        >>> BatchAugment("standard")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self, preset: str = "standard", generator: torch.Generator | None = None, *, seed: int = 0
    ) -> None:
        super().__init__()
        self.degrees, self.shift, self.crop = choose("augment", preset, _PRESETS)
        self.generator = torch.Generator().manual_seed(seed) if generator is None else generator
        self.seed = seed

    def forward(
        self,
        images: Tensor,
        targets: Tensor | None = None,
        *,
        index: Tensor | None = None,
        epoch: int = 0,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Augmented images, with the targets if they were given.

        Args:
            images: Shape ``(N, C, H, W)``, uint8 or floating point in 0..1.
            targets: Returned as they are.
            index: Index of each image in its data set, shape ``(N,)``: the draws then depend on
                (seed, epoch, index) alone, not on the generator.
            epoch: Epoch of the draws by index.

        Raises:
            ValueError: If ``images`` has not four dimensions.
        """
        if images.ndim != 4:
            raise ValueError(
                f"Expected `images` of shape (N, C, H, W), but got {tuple(images.shape)}."
            )
        augmented = images
        if self.degrees or self.shift or self.crop:
            augmented = self._warp(images, self._draw(images, index, epoch))
        return augmented if targets is None else (augmented, targets)

    def _draw(self, images: Tensor, index: Tensor | None, epoch: int) -> Tensor:
        if index is not None:
            draws = keyed_uniform(index, _DRAWS, seed=self.seed, epoch=epoch)
        else:
            draws = torch.rand(
                len(images), _DRAWS, generator=self.generator, device=self.generator.device
            )
        return draws.to(images.device)

    def _warp(self, images: Tensor, draws: Tensor) -> Tensor:
        signed = 2 * draws - 1
        angle = signed[:, 0] * math.radians(self.degrees)
        height, width = images.shape[-2:]
        scale = 1 - self.crop * draws[:, 3]
        # A crop may lie anywhere inside the image; the shift comes on top.
        room = (1 - scale) / 2
        x = (signed[:, 1] * self.shift + signed[:, 4] * room) * width
        y = (signed[:, 2] * self.shift + signed[:, 5] * room) * height
        cos, sin = angle.cos() * scale, angle.sin() * scale
        rows = [torch.stack([cos, -sin, x], -1), torch.stack([sin, cos, y], -1)]
        matrices = torch.stack(rows, 1)
        if images.is_floating_point():
            return affine_warp(images, matrices)
        warped = affine_warp(images.float(), matrices)
        return warped.round().clamp(0, 255).to(images.dtype)
