"""Checks of the arguments of an image data module."""

import os
from collections.abc import Sequence

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
