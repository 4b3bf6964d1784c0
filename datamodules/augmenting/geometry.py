"""All geometric operations of a batch as one move or one affine map for each image."""

import math

from torch import Tensor

from ...functional.affine import (
    affine_matrices,
    rotation_matrices,
    scale_matrices,
    shear_matrices,
)
from ...functional.augmentation import affine_warp, move_pixels
from .draws import Draws
from .precision import widen

GEOMETRY = (
    "rotation",
    "shift_x",
    "shift_y",
    "crop",
    "zoom",
    "shear_x",
    "shear_y",
    "horizontal_flip",
    "vertical_flip",
    "random_crop",
    "resized_crop",
    "translate_x",
    "translate_y",
)
_WHOLE_PIXELS = {"horizontal_flip", "vertical_flip", "random_crop"}
_RADIANS = math.pi / 180
_LOG_OF_MAX_ASPECT = math.log(4 / 3)


def move(images: Tensor, masks: Tensor | None, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """Apply the geometric operations to each image and its mask.

    Args:
        images: Shape ``(N, C, H, W)``.
        masks: Shape ``(N, H, W)`` or ``(N, K, H, W)``, or None.
        draws: Random draws of the batch.

    Returns:
        Images, floating point if they are interpolated, and masks in their own dtype.
    """
    present = {name for name in GEOMETRY if name in draws}
    if not present:
        return images, masks
    if present <= _WHOLE_PIXELS:
        x, y = _random_crop(draws) if "random_crop" in draws else (draws.constant(0),) * 2
        flips = [
            draws.chosen(name) if name in draws else None
            for name in ("horizontal_flip", "vertical_flip")
        ]
        images = move_pixels(images, x, y, *flips)
        if masks is not None:
            layers = masks if masks.ndim == 4 else masks[:, None]
            masks = move_pixels(layers, x, y, *flips).view(masks.shape)
        return images, masks
    matrices = _matrices(draws, *images.shape[-2:])
    return affine_warp(widen(images), matrices), _warp_masks(masks, matrices)


def _matrices(draws: Draws, height: int, width: int) -> Tensor:
    """Return the maps for ``affine_warp``, shape ``(N, 2, 3)``, for images of this size."""
    linear, x, y = _linear(draws), _amount(draws, "shift_x"), _amount(draws, "shift_y")
    if "crop" in draws:
        # A crop may lie anywhere inside the image; the shift is added to that.
        room = (1 - (1 - draws.amount("crop"))) / 2
        x = x + (2 * draws.uniform("crop", 1) - 1) * room
        y = y + (2 * draws.uniform("crop", 2) - 1) * room
    x, y = x * width, y * height
    if "translate_x" in draws:
        x = x + draws.amount("translate_x")
    if "translate_y" in draws:
        y = y + draws.amount("translate_y")
    if "random_crop" in draws:
        reach_x, reach_y = _random_crop(draws)
        x, y = x + reach_x, y + reach_y
    if "resized_crop" in draws:
        wide, tall, offset_x, offset_y = _resized_crop(draws, height, width)
        linear = scale_matrices(wide, tall) @ linear
        x, y = wide * x + offset_x * width, tall * y + offset_y * height
    return affine_matrices(linear, x, y)


def _linear(draws: Draws) -> Tensor:
    if "rotation" in draws:
        linear = rotation_matrices(draws.amount("rotation", unit=_RADIANS))
    else:
        linear = scale_matrices(draws.constant(1), draws.constant(1))
    if "crop" in draws:
        scale = 1 - draws.amount("crop")
        linear = linear @ scale_matrices(scale, scale)
    if "zoom" in draws:
        scale = 1 / draws.amount("zoom", 1)
        linear = linear @ scale_matrices(scale, scale)
    if "shear_x" in draws or "shear_y" in draws:
        angles = [_amount(draws, name, unit=_RADIANS) for name in ("shear_x", "shear_y")]
        linear = linear @ shear_matrices(*(angle.tan() for angle in angles))
    if "horizontal_flip" in draws or "vertical_flip" in draws:
        signs = [_sign(draws, name) for name in ("horizontal_flip", "vertical_flip")]
        linear = linear @ scale_matrices(*signs)
    return linear


def _amount(draws: Draws, name: str, unit: float = 1.0) -> Tensor:
    return draws.amount(name, unit=unit) if name in draws else draws.constant(0)


def _sign(draws: Draws, name: str) -> Tensor:
    if name not in draws:
        return draws.constant(1)
    return draws.where(name, draws.constant(-1), 1.0)


def _random_crop(draws: Draws) -> tuple[Tensor, Tensor]:
    padding = draws.amount("random_crop")
    steps = 2 * padding + 1
    x, y = ((draws.uniform("random_crop", axis) * steps).floor() - padding for axis in (0, 1))
    return x, y


def _resized_crop(draws: Draws, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    area = draws.amount("resized_crop", 1)
    aspect = ((2 * draws.uniform("resized_crop", 1) - 1) * _LOG_OF_MAX_ASPECT).exp()
    aspect = draws.where("resized_crop", aspect, width / height)
    wide = (area * aspect * (height / width)).sqrt().clamp(max=1)
    tall = (area / aspect * (width / height)).sqrt().clamp(max=1)
    x, y = (2 * draws.uniform("resized_crop", position) - 1 for position in (2, 3))
    return wide, tall, x * (1 - wide) / 2, y * (1 - tall) / 2


def _warp_masks(masks: Tensor | None, matrices: Tensor) -> Tensor | None:
    if masks is None:
        return None
    layers = masks if masks.ndim == 4 else masks[:, None]
    # Double precision holds every class number exactly.
    warped = affine_warp(layers.double(), matrices, mode="nearest").to(masks.dtype)
    return warped.view(masks.shape)
