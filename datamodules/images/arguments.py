"""Checks of the arguments of an image data module."""

import os
from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from ...functional.arguments import plain_value

_MOST_WORKERS = 8


def check_streamed(**arguments: object) -> None:
    """Refuse arguments that streams do not support.

    Args:
        **arguments: Arguments without a meaning for streams, as they were passed.

    Raises:
        ValueError: If one of them is set.
    """
    for name, value in arguments.items():
        if value:
            raise ValueError(
                f"Expected no `{name}` for streams, but got {value!r}: each split is a separate "
                f"stream, read in its own order, and labels become known only then."
            )


def checked_size(image_size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Return height and width.

    Raises:
        ValueError: If ``image_size`` is not one or two positive numbers.

    Example:
        >>> checked_size(32)
        (32, 32)
    """
    image_size = plain_value(image_size)
    if image_size is None:
        return None
    sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError(
            f"Expected `image_size` to be a positive number or (height, width), but got "
            f"{image_size}."
        )
    return sides[0], sides[1]


def checked_normalization(
    mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[Tensor, Tensor] | None:
    """Return both as float32 tensors, ``(1, C, 1, 1)``; None if both are to be measured.

    Raises:
        ValueError: If one is missing, their lengths differ, or ``std`` is not positive.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None or not _are_lists_of_one_length(mean, std):
        raise ValueError(
            f"Expected `mean` and `std` with one number for each channel, as in [0.5], but got "
            f"{mean} and {std}."
        )
    if not min(std) > 0:
        raise ValueError(f"Expected `std` to be positive, but got {std}.")
    shaped = (torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1) for values in (mean, std))
    first, second = shaped
    return first, second


def _are_lists_of_one_length(mean: Sequence[float], std: Sequence[float]) -> bool:
    return numpy.ndim(mean) == 1 and numpy.shape(mean) == numpy.shape(std) and len(mean) > 0


def worker_processes(wanted: int | None, *, stored: bool, devices: int) -> int:
    """Return the number of worker processes of each loader.

    Args:
        wanted: Number that the user asked for; None chooses one.
        stored: Whether images are in memory, where processes would cost more than they save.
        devices: Number of training processes on this machine.

    Returns:
        For files, the number of processors for each device, up to 8; for images in memory, 0.

    Example:
        >>> worker_processes(None, stored=False, devices=10_000)
        0
    """
    if wanted is not None:
        return wanted
    if stored:
        return 0
    usable = getattr(os, "sched_getaffinity", None)  # not everywhere
    processors = len(usable(0)) if usable else os.cpu_count() or 1
    return min(processors // max(devices, 1), _MOST_WORKERS)
