"""Convert arrays of images to one layout."""

from typing import Any

import numpy
import torch
from torch import Tensor

_CHANNELS = (1, 3, 4)


def channels_first(images: Any) -> Tensor:
    """Convert images of NumPy or torch to a tensor of shape ``(N, C, H, W)``.

    Three dimensions are ``(N, H, W)``, with one channel. With four, the second or last dimension
    holds the channels: the one of length 1, 3 or 4, or else the one that is shorter than the other
    two; if that applies to both or neither, the last in NumPy and the second in torch. Integers
    from 0 to 255 of any dtype become uint8, booleans 0 and 255, float64 becomes float32.

    Args:
        images: Array or tensor of 3 or 4 dimensions.

    Returns:
        Uint8, or floating point in 0..1.

    Raises:
        TypeError: If ``images`` is neither an array nor a tensor.
        ValueError: If it has another shape, or numbers that are not pixels.

    Example:
        >>> import numpy
        >>> channels_first(numpy.zeros((5, 8, 6, 3), dtype="uint8")).shape
        torch.Size([5, 3, 8, 6])
    """
    if not isinstance(images, (numpy.ndarray, Tensor)):
        raise TypeError(
            f"Expected images as a numpy array or a torch tensor of shape (N, C, H, W), "
            f"(N, H, W, C) or (N, H, W), but got {type(images).__name__}."
        )
    if images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise ValueError(
            f"Expected images of shape (N, C, H, W), (N, H, W, C) or (N, H, W), but got "
            f"{tuple(images.shape)}."
        )
    numpys = isinstance(images, numpy.ndarray)
    tensor = images.detach() if isinstance(images, Tensor) else _tensor_of(images)
    if tensor.ndim == 3:
        tensor = tensor[:, None]
    elif _last(tuple(tensor.shape), numpys):
        tensor = tensor.permute(0, 3, 1, 2)
    return _checked_pixels(tensor).contiguous()


def _tensor_of(array: Any) -> Tensor:
    # A copy only if torch cannot use the array as it is: byte order, strides, read-only.
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 for stride in array.strides) or not array.flags.writeable:
        array = array.copy()
    if array.dtype.kind not in "biuf":
        raise ValueError(f"Expected images of numbers, but got an array of {array.dtype}.")
    return torch.from_numpy(array)


def _last(shape: tuple[int, ...], numpys: bool) -> bool:
    first, last = shape[1] in _CHANNELS, shape[3] in _CHANNELS
    if not (first or last):  # several sensors, or spectral bands
        first, last = shape[1] < min(shape[2:]), shape[3] < min(shape[1:3])
    return numpys if first == last else last


def _checked_pixels(images: Tensor) -> Tensor:
    if images.dtype == torch.uint8 or images.numel() == 0:
        return images
    if images.dtype == torch.bool:
        return images.to(torch.uint8) * 255
    # As Python's numbers: int8 cannot hold the 255 that it is compared with.
    extremes = (images.long() if images.dtype in _WIDENED else images).aminmax()
    least, most = (extreme.item() for extreme in extremes)
    if not images.is_floating_point():
        if least < 0 or most > 255:
            raise ValueError(
                f"Expected whole numbers from 0 to 255 as pixels, but got {least} to {most}. Scale "
                "them to 0..1 as floating point."
            )
        return images.to(torch.uint8)
    # Interpolation may exceed the range by rounding errors.
    if not (least >= -1e-3 and most <= 1 + 1e-3):
        raise ValueError(
            f"Expected floating-point images in 0..1, but got {least:g} to {most:g}. Scale them "
            "to 0..1, or pass whole numbers from 0 to 255 as uint8; they are normalised later."
        )
    return images.float() if images.dtype == torch.float64 else images


_WIDENED = (torch.uint16, torch.uint32, torch.uint64)
