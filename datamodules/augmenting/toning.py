"""Changes of tone by a batch's random draws."""

from torch import Tensor

from ...functional.tones import autocontrast, equalize, posterize, sharpen, solarize
from .draws import Draws

TONES = ("sharpness", "posterize", "solarize", "autocontrast", "equalize")


def retone(images: Tensor, draws: Draws, bound: float, *, whole: bool) -> Tensor:
    """Apply sharpness, posterize, solarize, autocontrast and equalize according to the draws.

    Args:
        images: Shape ``(N, C, H, W)``, floating point in 0..bound.
        draws: Random draws of the batch.
        bound: 1, or 255 for whole numbers.
        whole: Whether pixels are whole numbers, and stay so.

    Returns:
        Tensor of the shape of ``images``.
    """
    if "sharpness" in draws:
        images = sharpen(images, draws.amount("sharpness", 1), bound, whole=whole)
    if "posterize" in draws:
        bits = draws.amount("posterize", 8).round()
        images = draws.where("posterize", posterize(images, bits, bound), images)
    if "solarize" in draws:
        # Without an effect, the threshold is twice white, which no pixel reaches.
        images = solarize(images, draws.amount("solarize", 2), bound)
    if "autocontrast" in draws:
        stretched = autocontrast(images, bound, whole=whole)
        images = draws.where("autocontrast", stretched, images)
    if "equalize" in draws:
        images = draws.where("equalize", equalize(images, bound), images)
    return images
