"""Named sets of operations."""

from dataclasses import dataclass, field

from .operation import Setting


@dataclass(frozen=True)
class Preset:
    """Operations, and how many of them each image chooses (0 for all)."""

    operations: dict[str, Setting] = field(default_factory=dict)
    choices: int = 0
    extremes: bool = False


def _choosable(degrees: float, slope: float, shift: float, color: float) -> dict[str, Setting]:
    factors: list[float] = [1 - color, 1 + color]
    return {
        "rotation": degrees,
        "shear": slope,
        "shift": shift,
        "brightness": factors,
        "contrast": factors,
        "saturation": factors,
    }


# The warp's ranges suit digits and letters, too: nothing is flipped.
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
    # Two operations at magnitude 9 of 30: 0.3 of the largest amounts of the paper.
    "randaugment": Preset(_choosable(9.0, 5.1, 0.135, 0.27), choices=2, extremes=True),
    # One operation at any magnitude of the "wide" space: 135 degrees, slope and factor 0.99,
    # 32 pixels of an image of 32.
    "trivialaugment": Preset(_choosable(135.0, 44.7, 1.0, 0.99), choices=1),
}
