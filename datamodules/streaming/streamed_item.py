"""One image and its label from an item of a stream."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Reading = Callable[[Any], tuple[Any, int]]


def image_and_label(item: Any) -> tuple[Any, int]:
    """Return image and label of an item: a pair of them, or a mapping with the usual keys.

    Args:
        item: ``(image, label)``, or a mapping with ``"image"`` and ``"label"``, ``"class"`` or
            ``"target"``.

    Raises:
        TypeError: If it is neither.

    Example:
        >>> image_and_label({"image": "an image", "class": 3})
        ('an image', 3)
    """
    if isinstance(item, Mapping):
        for name in ("label", "class", "target"):
            if "image" in item and name in item:
                return item["image"], int(item[name])
    elif isinstance(item, tuple | list) and len(item) == 2:
        return item[0], int(item[1])
    found = sorted(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
    raise TypeError(
        f"Expected items with an 'image' and a 'label', or pairs of them, but got {found}. Pass "
        f"`read`, which extracts image and label from an item."
    )


def as_pixels(image: Any) -> Tensor:
    """Return the pixels of an image, uint8 of shape ``(C, H, W)``.

    Args:
        image: A PIL image, or a uint8 array or tensor of shape ``(H, W)``, ``(H, W, C)`` or
            ``(C, H, W)``. A last, or else first, dimension of 1, 3 or 4 holds the channels.

    Raises:
        ValueError: If it has another type or shape, or a palette.

    Example:
        >>> as_pixels(torch.zeros(5, 6, 3, dtype=torch.uint8)).shape
        torch.Size([3, 5, 6])
    """
    if getattr(image, "mode", None) == "P":
        raise ValueError(
            "Expected images that hold their colours, but got numbers of colours in a palette, "
            "which litdata does not keep. Apply `image.convert('RGB')` before the stream is "
            "written, or in `read` if that decodes the images."
        )
    pixels = image if isinstance(image, Tensor) else torch.from_numpy(np.array(image))
    if pixels.dtype == torch.uint8:
        if pixels.ndim == 2:
            return pixels[None]
        if pixels.ndim == 3 and pixels.shape[-1] in (1, 3, 4):
            return pixels.permute(2, 0, 1)
        if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4):
            return pixels
    raise ValueError(
        f"Expected images of uint8 and shape (H, W), (H, W, C) or (C, H, W), but got "
        f"{pixels.dtype} of shape {tuple(pixels.shape)}."
    )


def stacked(rows: list[tuple[Any, int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Stack images, labels and items into a batch.

    Args:
        rows: Image, label and item of each.

    Returns:
        Images, uint8 of shape ``(B, C, H, W)``; labels and items, int64 of shape ``(B,)``.

    Raises:
        ValueError: If the images have different shapes.

    Example:
        >>> x, y, index = stacked([(torch.zeros(2, 2).byte(), 7, 0)])
        >>> x.shape, y, index
        (torch.Size([1, 1, 2, 2]), tensor([7]), tensor([0]))
    """
    images = [as_pixels(image) for image, _, _ in rows]
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise ValueError(
            f"Expected images of one shape, but got {sorted(shapes)}. Resize them when the stream "
            f"is written, or pass `read`, which extracts image and label from an item."
        )
    _, labels, items = zip(*rows, strict=True)
    return torch.stack(images), torch.tensor(labels), torch.tensor(items)
