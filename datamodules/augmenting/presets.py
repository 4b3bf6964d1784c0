"""Named sets of operations."""

import math
from dataclasses import dataclass, field

from .operation import Setting


@dataclass(frozen=True)
class Preset:
    """Operations, and how often each image chooses one of them (0 if all are applied)."""

    operations: dict[str, Setting] = field(default_factory=dict)
    choices: int = 0
    extremes: bool = False


def _choosable(
    degrees: float, slope: float, color: float, bits: list[float], threshold: list[float]
) -> dict[str, Setting]:
    """Return the operations that both papers choose from, except translation."""
    factors: list[float] = [1 - color, 1 + color]
    return {
        "rotation": degrees,
        "shear": slope,
        "brightness": factors,
        "contrast": factors,
        "saturation": factors,
        "sharpness": factors,
        "posterize": bits,
        "solarize": threshold,
        "autocontrast": 1.0,
        "equalize": 1.0,
    }


# The ranges of the warp also suit digits and letters: nothing is flipped.
PRESETS: dict[str, Preset] = {
    "none": Preset(),
    "light": Preset({"rotation": 5.0, "shift": 0.05}),
    "standard": Preset({"rotation": 10.0, "shift": 0.1, "crop": 0.1}),
    "strong": Preset(
        {
            "rotation": 20.0,
            "shift": 0.15,
            "crop": 0.2,
            "shear": 10.0,
            "brightness": 0.3,
            "contrast": 0.3,
            "saturation": 0.3,
            "erasing": 0.25,
        }
    ),
    # Two operations at magnitude 9 of 30: 0.3 of the largest amounts, which are 30 degrees, slope
    # 0.3, 150 pixels of 331 and factor 0.9; 7 of 8 bits, and a threshold 0.3 below white.
    "randaugment": Preset(
        {
            **_choosable(9.0, math.degrees(math.atan(0.09)), 0.27, [7.0, 7.0], [0.7, 0.7]),
            "shift": 0.3 * 150 / 331,
        },
        choices=2,
        extremes=True,
    ),
    # One operation at any magnitude of the "wide" space: 135 degrees, slope and factor 0.99, 32
    # pixels, 2 to 8 bits, any threshold.
    "trivialaugment": Preset(
        {
            **_choosable(135.0, math.degrees(math.atan(0.99)), 0.99, [2.0, 8.0], [0.0, 1.0]),
            "translate": 32.0,
        },
        choices=1,
    ),
}
