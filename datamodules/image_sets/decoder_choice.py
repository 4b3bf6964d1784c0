"""Choose how to decode a data set, from the headers of its images."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from .image_decoder import ImageDecoder, is_grey

_MAX_HEADERS = 10_000
Header = tuple[tuple[int, int], str]


def choose_decoder(
    count: int,
    header: Callable[[int], Header],
    *,
    image_size: tuple[int, int] | None,
    channels: int | None,
) -> ImageDecoder:
    """Choose a decoder that gives all images of a data set one shape.

    The headers of up to 10,000 evenly spaced images are inspected; problems with other images are
    reported when those are read.

    Args:
        count: Number of images.
        header: Returns width, height and Pillow mode of an image.
        image_size: Height and width to resize and crop each image to; None expects one size.
        channels: 1, 3 or 4; None uses 1 if no image is in colour, or else 3.

    Raises:
        ValueError: If sizes differ without ``image_size``.
    """
    headers: list[Header] = []
    if image_size is None or channels is None:
        places = torch.linspace(0, count - 1, min(count, _MAX_HEADERS)).round().long().tolist()
        with ThreadPoolExecutor(max_workers=8) as pool:
            headers = list(pool.map(header, places))
    chosen = channels or (1 if all(is_grey(mode) for _, mode in headers) else 3)
    if image_size is not None:
        return ImageDecoder(chosen, *image_size, convert=channels is not None)
    sizes = {size for size, _ in headers}
    if len(sizes) > 1:
        (least, most) = min(sizes), max(sizes)
        raise ValueError(
            f"Expected images of one size, but got {len(sizes)} sizes, from {least[0]}x{least[1]} "
            f"to {most[0]}x{most[1]} pixels. Set `image_size` to resize and crop them."
        )
    ((width, height),) = sizes
    return ImageDecoder(chosen, height, width, resize=False, convert=channels is not None)
