"""Augmentation of a whole batch, each image by its own draw."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..functional.augmentation import affine_warp, keyed_uniform
from ..functional.choices import choose
from ..functional.mixing import soft_targets
from ..functional.pixels import normal_from_uniform
from .augmenting.batch_mixing import mix
from .augmenting.draws import NOISE, Draws, needed_columns
from .augmenting.geometry import geometry_matrices
from .augmenting.operation import Setting, parse_operations
from .augmenting.presets import PRESETS, Preset
from .augmenting.recoloring import blur, erase, recolor


class BatchAugment(nn.Module):
    """Augment every image of a batch by its own random amounts, on the batch's device.

    All geometry is one affine map and one warp, bilinear, zero outside. Colours change by one
    matrix for each image, clamped at the end. The order is fixed: geometry, brightness, contrast,
    saturation, hue, grayscale, blur, noise, erasing, MixUp or CutMix. In eval mode nothing happens.

    Operations are a mapping of names to a number, a range ``[low, high]``, or
    ``{"range": ..., "p": ...}`` with the probability that it happens to an image:

    - ``rotation`` and ``shear`` (``shear_x``, ``shear_y``): degrees; ``shift`` (``shift_x``,
      ``shift_y``) and ``hue``: share of the side and of the colour circle; ``a`` is ``-a..a``;
    - ``zoom``, ``brightness``, ``contrast``, ``saturation``: factors; ``a`` is ``1-a..1+a``;
    - ``crop``: largest share of the side cut off; ``resized_crop``: least share of the area, with
      the sides' ratio from 3/4 to 4/3; ``random_crop``: pixels of padding, as for CIFAR;
    - ``horizontal_flip``, ``vertical_flip``, ``grayscale``, ``erasing`` (range: share of the
      area): probabilities;
    - ``noise``: largest standard deviation, white being 1; ``blur``: largest sigma in pixels;
    - ``mixup``, ``cutmix``: alpha of the Beta distribution. With both, a coin decides for each
      image. The other image is one of the same batch.

    The presets never flip and never mix. ``"randaugment"`` and ``"trivialaugment"`` choose for
    each image two operations at magnitude 9, and one at any magnitude, out of nothing, rotation,
    shears, shifts, brightness, contrast and saturation: 9 of the papers' 14. Not among them are
    sharpness, posterize, solarize, autocontrast and equalize, and two chosen operations come in
    the fixed order, the same one twice counting once.

    Args:
        operations: ``"none"``, ``"light"``, ``"standard"``, ``"strong"``, ``"randaugment"``,
            ``"trivialaugment"``, or a mapping as above.
        generator: Source of the draws; None takes a generator of its own.
        seed: Seed of the own generator and of draws by index.
        clamp: Change colours one at a time, each clamped (and of uint8 cut to whole numbers), and
            hue in HSV: torchvision's results to the rounding, and slower.
        num_classes: Needed to mix targets that are class indices.

    Raises:
        ValueError: If a name is unknown or a number out of range.
        TypeError: If a setting is not a number, a range or a mapping.

    Reference:
        Cubuk et al. 2020, "RandAugment"; Mueller and Hutter 2021, "TrivialAugment".

    Example:
        >>> augment = BatchAugment({"rotation": 15, "brightness": 0.2, "horizontal_flip": 0.5})
        >>> augment(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    columns: Tensor

    def __init__(
        self,
        operations: str | Mapping[str, Setting] = "standard",
        generator: torch.Generator | None = None,
        *,
        seed: int = 0,
        clamp: bool = False,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(operations, str):
            preset = choose("augment", operations, PRESETS)
        elif isinstance(operations, Mapping):
            preset = Preset(dict(operations))
        else:
            raise TypeError(
                f"Expected `operations` to be a preset's name or a mapping of names to ranges, "
                f"but got {operations!r}."
            )
        if num_classes is not None and num_classes < 1:
            raise ValueError(f"Expected `num_classes` to be at least 1, but got {num_classes}.")
        self.operations = parse_operations(preset.operations)
        self.choices, self.extremes = preset.choices, preset.extremes
        self.generator = torch.Generator().manual_seed(seed) if generator is None else generator
        self.seed, self.clamp, self.num_classes = seed, clamp, num_classes
        self._numbers = needed_columns(self.operations, preset.choices)
        columns = torch.tensor(self._numbers, dtype=torch.int64)
        self.register_buffer("columns", columns, persistent=False)

    def forward(
        self,
        images: Tensor,
        targets: Tensor | None = None,
        *,
        masks: Tensor | None = None,
        index: Tensor | None = None,
        epoch: int = 0,
    ) -> Any:
        """Augmented images, then the targets and masks that were given.

        Args:
            images: Shape ``(N, C, H, W)``, uint8 or floating point in 0..1.
            targets: Class indices of shape ``(N,)`` or shares of shape ``(N, classes)``; they come
                back as they are, or as shares if images are mixed.
            masks: Shape ``(N, H, W)`` or ``(N, K, H, W)``: moved as the images are, by the nearest
                pixel, 0 outside; erasing leaves them alone.
            index: Index of each image in its data set, shape ``(N,)``: the draws then depend on
                (seed, epoch, index) alone, not on the generator. Only the other image of a mixture
                depends on the batch.
            epoch: Epoch of the draws by index.

        Returns:
            Images of the same shape, dtype and memory format, or a tuple of what was given.

        Raises:
            ValueError: If a shape does not fit, or images to be mixed have no targets.
        """
        self._check(images, targets, masks, index)
        if self.training and self.operations:
            mixes = "mixup" in self.operations or "cutmix" in self.operations
            if mixes and targets is not None:
                targets = soft_targets(targets, self.num_classes)
            if len(images):
                draws = self._draw(images, index, epoch)
                images, targets, masks = self._augment(
                    images, targets, masks, draws, (index, epoch)
                )
        given = [value for value in (images, targets, masks) if value is not None]
        return images if len(given) == 1 else tuple(given)

    def get_extra_state(self) -> dict[str, Tensor]:
        """State of the generator, so that a resumed run goes on with the same draws."""
        return {"generator": self.generator.get_state()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Go on with the draws of ``get_extra_state``."""
        self.generator.set_state(state["generator"].cpu())

    def _check(
        self, images: Tensor, targets: Tensor | None, masks: Tensor | None, index: Tensor | None
    ) -> None:
        if images.ndim != 4:
            raise ValueError(
                f"Expected `images` of shape (N, C, H, W), but got {tuple(images.shape)}."
            )
        if not images.is_floating_point() and images.dtype != torch.uint8:
            raise ValueError(
                f"Expected `images` to be uint8 or floating point in 0..1, but got {images.dtype}."
            )
        for name, value in (("targets", targets), ("masks", masks), ("index", index)):
            if value is not None and len(value) != len(images):
                raise ValueError(
                    f"Expected `{name}` to have one entry for each of {len(images)} images, but "
                    f"got {len(value)}."
                )
        if masks is not None and masks.shape[-2:] != images.shape[-2:]:
            raise ValueError(
                f"Expected `masks` of the images' size {tuple(images.shape[-2:])}, but got "
                f"{tuple(masks.shape[-2:])}."
            )
        mixes = self.training and ("mixup" in self.operations or "cutmix" in self.operations)
        if mixes and targets is None:
            raise ValueError(
                "Expected `targets` to mix images, but got None. Call it with both, or leave out "
                "'mixup' and 'cutmix'."
            )
        if mixes and masks is not None and "mixup" in self.operations:
            raise ValueError("Expected no `masks` with 'mixup', but got some. Use 'cutmix'.")

    def _draw(self, images: Tensor, index: Tensor | None, epoch: int) -> Draws:
        if index is not None:
            uniform = self._keyed(index, self._column_numbers(index.device), epoch)
        else:
            shape = (len(images), len(self._numbers))
            uniform = torch.rand(shape, generator=self.generator, device=self.generator.device)
        return Draws(
            self.operations,
            uniform.to(images.device),
            self._numbers,
            choices=self.choices,
            extremes=self.extremes,
        )

    def _keyed(self, index: Tensor, columns: Tensor, epoch: int) -> Tensor:
        return keyed_uniform(index, columns, seed=self.seed, epoch=epoch)

    def _column_numbers(self, device: torch.device) -> Tensor:
        if self.columns.device != device:
            # Kept, so that only the first batch waits for the copy.
            self.columns = self.columns.to(device)
        return self.columns

    def _augment(
        self,
        images: Tensor,
        targets: Tensor | None,
        masks: Tensor | None,
        draws: Draws,
        key: tuple[Tensor | None, int],
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        bound = 1.0 if images.is_floating_point() else 255.0
        # Half precision places pixels too coarsely.
        wide = images.dtype in (torch.float32, torch.float64)
        work = images if wide else images.float()
        matrices = geometry_matrices(draws, *images.shape[-2:])
        if matrices is not None:
            work = affine_warp(work, matrices)
            masks = None if masks is None else _warp_masks(masks, matrices)
        work = recolor(work, draws, bound, clamp=self.clamp)
        if "blur" in draws:
            work = blur(work, draws)
        if "noise" in draws:
            spread = draws.amount("noise")[:, None, None, None] * bound
            work = (work + spread * self._noise(work, key)).clamp_(0, bound)
        if "erasing" in draws:
            work = erase(work, draws)
        if targets is not None and ("mixup" in draws or "cutmix" in draws):
            work, targets, masks = mix(work, targets, masks, draws)
        return _like(work, images), targets, masks

    def _noise(self, images: Tensor, key: tuple[Tensor | None, int]) -> Tensor:
        index, epoch = key
        if index is None:
            device = self.generator.device
            noise = torch.randn(images.shape, generator=self.generator, device=device)
        else:
            size = images[0].numel()
            columns = torch.arange(NOISE, NOISE + size + size % 2, device=index.device)
            noise = normal_from_uniform(self._keyed(index, columns, epoch))[:, :size]
        return noise.reshape(images.shape).to(images)


def _warp_masks(masks: Tensor, matrices: Tensor) -> Tensor:
    layers = masks if masks.ndim == 4 else masks[:, None]
    # Double precision holds every class number exactly.
    warped = affine_warp(layers.double(), matrices, mode="nearest").to(masks.dtype)
    return warped.view(masks.shape)


def _like(work: Tensor, images: Tensor) -> Tensor:
    if not images.is_floating_point():
        work = work.round().clamp_(0, 255)
    channels_last = images.is_contiguous(memory_format=torch.channels_last)
    if channels_last and not images.is_contiguous():
        return work.to(images.dtype, memory_format=torch.channels_last)
    return work.to(images.dtype)
