"""From a Pillow image to a tensor."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112  # the EXIF tag
_TURNED = (5, 6, 7, 8)  # its values for which rows and columns are swapped
# A JPEG is decoded at 1/2, 1/4 or 1/8 as long as twice the wanted size remains.
_REDUCING_GAP = 2.0


@dataclass(frozen=True)
class ImageDecoder:
    """Convert an image of any size and mode to a tensor of one shape.

    Photographs are turned upright as their EXIF says or, without one there, their XMP (of a JPEG,
    where Pillow reads it). Of damaged ones nothing is read, and the pixels are taken as they are.

    Attributes:
        channels: 1, 3 or 4.
        height: Height in pixels.
        width: Width in pixels.
        resize: Whether to resize each image to cover the size, and centre-crop it; False expects
            every image to have that size.
        convert: Whether to convert colours to grey if ``channels`` is 1; False expects grey images.
    """

    channels: int
    height: int
    width: int
    resize: bool = True
    convert: bool = True

    def read(self, path: Path) -> Tensor:
        """Read the image of a file.

        Raises:
            ValueError: If the file is not an image that can be decoded, or has another size.
        """
        with _opened(path) as image:
            try:
                if self.resize:
                    self._draft(image)
                image.load()
            except Exception as error:
                raise unreadable(path, error) from error
            return self(image, str(path))

    def __call__(self, image: "Image", name: str) -> Tensor:
        """Convert an image to uint8 of shape ``(C, H, W)``.

        Args:
            image: Pillow image.
            name: Name of the image in errors.

        Raises:
            ValueError: If its size or its colours are not as expected.
        """
        from PIL import Image

        _turn_upright(image)
        image = self._converted(image, name)
        if image.size != (self.width, self.height):
            if not self.resize:
                raise ValueError(
                    f"Expected every image to have {self.width}x{self.height} pixels like the "
                    f"first, but {name} has {image.width}x{image.height}. Set `image_size`."
                )
            image = image.resize(
                (self.width, self.height),
                Image.Resampling.BILINEAR,
                box=self.box(*image.size),
                reducing_gap=_REDUCING_GAP,
            )
        pixels = torch.from_numpy(numpy.array(image))
        return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the crop of an image of some size."""
        scale = max(self.width / width, self.height / height)
        left, top = (width - self.width / scale) / 2, (height - self.height / scale) / 2
        # Rounding must not reach outside the image.
        left, top = max(left, 0.0), max(top, 0.0)
        return left, top, width - left, height - top

    def _draft(self, image: "Image") -> None:
        turned = _turned(image)
        width, height = (self.height, self.width) if turned else (self.width, self.height)
        scale = max(width / image.width, height / image.height) * _REDUCING_GAP
        if scale < 1:
            image.draft(None, (int(image.width * scale), int(image.height * scale)))

    def _converted(self, image: "Image", name: str) -> "Image":
        mode = _MODES[self.channels]
        if image.mode == "F":
            raise ValueError(
                f"Expected 8 or 16 bits for each channel, but {name} holds floating-point numbers. "
                "Save it as PNG, or pass the images as an array."
            )
        if image.mode.startswith("I"):
            image = _eight_bits(image, name)
        if mode == "L" and not self.convert and not is_grey(image.mode):
            raise ValueError(
                f"Expected grey images like the first, but {name} is in colour. Set "
                "`image_channels=3` to read all in colour, or `image_channels=1` for all in grey."
            )
        return image if image.mode == mode else image.convert(mode)


def read_header(path: Path) -> tuple[tuple[int, int], str]:
    """Return width and height, in viewing orientation, and Pillow mode, without decoding.

    Raises:
        ValueError: If the file is not an image.
    """
    with _opened(path) as image:
        return header_of(image)


def header_of(image: "Image") -> tuple[tuple[int, int], str]:
    """Return width and height of an open image, in viewing orientation, and its Pillow mode."""
    size = (image.height, image.width) if _turned(image) else image.size
    return size, image.mode


def is_grey(mode: str) -> bool:
    """Whether images of this mode have no colours.

    Example:
        >>> is_grey("L"), is_grey("P")
        (True, False)
    """
    return mode in _GREY


def unreadable(path: Path, error: Exception) -> ValueError:
    """Return an error that names the file and says what to do."""
    return ValueError(
        f"Expected {path} to be an image that can be decoded, but got: {error}. Replace the file "
        "or remove it."
    )


def _turned(image: "Image") -> bool:
    """Whether rows and columns are swapped, from what was read when the file was opened."""
    from PIL import Image

    if _ORIENTATION in getattr(image, "tag_v2", ()):
        return False  # of a TIFF: Pillow turns it while it decodes, and gives the size after that
    # Pillow's own reading, of EXIF or else XMP; `image.getexif` would decode a whole PNG.
    bare = Image.Image()
    bare.info = image.info
    try:
        return bare.getexif().get(_ORIENTATION) in _TURNED
    except Exception:  # as in `_turn_upright`
        return False


def _turn_upright(image: "Image") -> None:
    from PIL import ImageOps

    # Pillow raises any exception at damaged EXIF, which decodes nothing: the pixels may be whole.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)


def _opened(path: Path) -> "Image":
    from PIL import Image

    try:
        return Image.open(path)
    # Pillow's readers raise any exception: there is no class for a bad file.
    except Exception as error:
        raise unreadable(path, error) from error


def _eight_bits(image: "Image", name: str) -> "Image":
    """Scale 16 bits to 8, because Pillow's own conversion clips them at 255."""
    from PIL import Image

    values = numpy.asarray(image).astype(numpy.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(
            f"Expected at most 16 bits for each channel, but {name} holds values from "
            f"{values.min()} to {values.max()}. Save it with 8 bits."
        )
    return Image.fromarray(((values + 128) // 257).astype(numpy.uint8))
