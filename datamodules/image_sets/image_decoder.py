"""From an image of Pillow to a tensor."""

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
_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, rows and columns are exchanged
# A JPEG is decoded at 1/2, 1/4 or 1/8 as long as twice the wanted size remains.
_REDUCING_GAP = 2.0


@dataclass(frozen=True)
class ImageDecoder:
    """Turn an image of any size and mode into a tensor of one shape.

    Attributes:
        channels: 1, 3 or 4.
        height: In pixels.
        width: In pixels.
        resize: Scale each image until it covers the size, and cut what stands out, equally on
            both sides; False expects every image to have the size already.
        convert: Turn colours to grey where ``channels`` is 1; False expects none.
    """

    channels: int
    height: int
    width: int
    resize: bool = True
    convert: bool = True

    def read(self, path: Path) -> Tensor:
        """Image of a file.

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
        """Image as uint8 of shape ``(C, H, W)``.

        Args:
            image: Of Pillow.
            name: What the image is called in an error.

        Raises:
            ValueError: If its size or its colours are not what is expected.
        """
        from PIL import Image, ImageOps

        ImageOps.exif_transpose(image, in_place=True)
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
        """Left, top, right and bottom of what is kept of an image of some size."""
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
                "Save it as PNG, or give the images as an array."
            )
        if image.mode.startswith("I"):
            image = _eight_bits(image, name)
        if mode == "L" and not self.convert and not is_grey(image.mode):
            raise ValueError(
                f"Expected images in grey like the first, but {name} is in colour. Set "
                "`image_channels=3` to read all in colour, or `image_channels=1` for all in grey."
            )
        return image if image.mode == mode else image.convert(mode)


def read_header(path: Path) -> tuple[tuple[int, int], str]:
    """Width and height, as the image is to be looked at, and Pillow's mode, without decoding.

    Raises:
        ValueError: If the file is not an image.
    """
    with _opened(path) as image:
        size = (image.height, image.width) if _turned(image) else image.size
        return size, image.mode


def is_grey(mode: str) -> bool:
    """Whether an image of this mode has no colours.

    Example:
        >>> is_grey("L"), is_grey("P")
        (True, False)
    """
    return mode in _GREY


def unreadable(path: Path, error: Exception) -> ValueError:
    """Error that names the file and says what to do."""
    return ValueError(
        f"Expected {path} to be an image that can be decoded, but got: {error}. Replace the file "
        "or remove it."
    )


def _turned(image: "Image") -> bool:
    """Whether rows and columns are exchanged, from what was read when the file was opened."""
    from PIL import Image

    # `image.getexif` would decode a whole PNG.
    exif = Image.Exif()
    exif.load(image.info.get("exif") or b"")
    return bool(exif.get(_ORIENTATION, 1) >= 5)


def _opened(path: Path) -> "Image":
    from PIL import Image

    try:
        return Image.open(path)
    # Pillow's readers raise whatever they stumble on: there is no class for a bad file.
    except Exception as error:
        raise unreadable(path, error) from error


def _eight_bits(image: "Image", name: str) -> "Image":
    """Pillow cuts 16 bits off at 255 where it converts them itself."""
    from PIL import Image

    values = numpy.asarray(image).astype(numpy.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(
            f"Expected at most 16 bits for each channel, but {name} holds values from "
            f"{values.min()} to {values.max()}. Save it with 8 bits."
        )
    return Image.fromarray(((values + 128) // 257).astype(numpy.uint8))
