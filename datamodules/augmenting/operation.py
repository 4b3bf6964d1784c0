"""One operation of augmentation, with its range and probability."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...functional.arguments import plain_value
from ...functional.choices import choose

# What a single number means: the range -a..a, 1-a..1+a, 0..a, a..1, a..8, only a, or a
# probability.
_READ_AS: dict[str, Callable[[float], tuple[float, float]]] = {
    "symmetric": lambda a: (-a, a),
    "factor": lambda a: (max(1 - a, 0.0), 1 + a),
    "up_to": lambda a: (0.0, a),
    "at_least": lambda a: (a, 1.0),
    "threshold": lambda a: (a, 1.0),
    "bits": lambda a: (a, 8.0),
    "fixed": lambda a: (a, a),
}
_IDENTITY = {"symmetric": 0.0, "factor": 1.0, "up_to": 0.0, "at_least": 1.0}
_NOT_NEGATIVE = ("symmetric", "factor", "up_to")


@dataclass(frozen=True)
class _Kind:
    reading: str
    least: float
    most: float
    columns: int = 1
    default: tuple[float, float] = (0.0, 0.0)


_LEAST_AMOUNT = 1e-3
# The order determines each operation's columns of the draws: append, never insert, or every
# seeded run changes.
KINDS: dict[str, _Kind] = {
    "rotation": _Kind("symmetric", -180, 180),
    "shift_x": _Kind("symmetric", -1, 1),
    "shift_y": _Kind("symmetric", -1, 1),
    "crop": _Kind("up_to", 0, 1 - _LEAST_AMOUNT, columns=3),
    "zoom": _Kind("factor", _LEAST_AMOUNT, math.inf),
    "shear_x": _Kind("symmetric", -89, 89),
    "shear_y": _Kind("symmetric", -89, 89),
    "horizontal_flip": _Kind("probability", 0, 1),
    "vertical_flip": _Kind("probability", 0, 1),
    "random_crop": _Kind("fixed", 0, math.inf, columns=2),
    "resized_crop": _Kind("at_least", _LEAST_AMOUNT, 1, columns=4),
    "brightness": _Kind("factor", 0, math.inf),
    "contrast": _Kind("factor", 0, math.inf),
    "saturation": _Kind("factor", 0, math.inf),
    "hue": _Kind("symmetric", -0.5, 0.5),
    "grayscale": _Kind("probability", 0, 1),
    "erasing": _Kind("probability", 0, 1, columns=4, default=(0.02, 0.33)),
    "noise": _Kind("up_to", 0, math.inf),
    "blur": _Kind("up_to", 0, math.inf),
    "mixup": _Kind("fixed", _LEAST_AMOUNT, math.inf),
    "cutmix": _Kind("fixed", _LEAST_AMOUNT, math.inf, columns=3),
    "sharpness": _Kind("factor", 0, math.inf),
    "posterize": _Kind("bits", 1, 8),
    "solarize": _Kind("threshold", 0, 1),
    "autocontrast": _Kind("probability", 0, 1),
    "equalize": _Kind("probability", 0, 1),
    "translate_x": _Kind("symmetric", -math.inf, math.inf),
    "translate_y": _Kind("symmetric", -math.inf, math.inf),
}
_BOTH_AXES = {name: (f"{name}_x", f"{name}_y") for name in ("shift", "shear", "translate")}
_NAMES = {name: name for name in (*KINDS, *_BOTH_AXES)}

Setting = float | Sequence[float] | Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """The range and probability from which an operation draws for each image.

    Args:
        name: One of the names that ``BatchAugment`` lists.
        low: Minimum amount.
        high: Maximum amount.
        p: Probability of applying the operation to an image.

    Raises:
        ValueError: If the name is unknown or a number is out of range.

    Example:
        >>> Operation("rotation", -15, 15, p=0.5).high
        15
    """

    name: str
    low: float
    high: float
    p: float = 1.0

    def __post_init__(self) -> None:
        kind = choose("operations", self.name, KINDS)
        for value in (self.low, self.high, self.p):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"Expected `{self.name}` to hold numbers, but got {value!r}.")
        if not 0 <= self.p <= 1:
            raise ValueError(f"Expected `p` of `{self.name}` between 0 and 1, but got {self.p}.")
        finite = math.isfinite(self.low) and math.isfinite(self.high)
        if not finite or not kind.least <= self.low <= self.high <= kind.most:
            raise ValueError(
                f"Expected `{self.name}` to be a range within {kind.least:g} and {kind.most:g}, "
                f"smaller number first, but got {self.low} to {self.high}."
            )
        if kind.reading == "fixed" and self.low != self.high:
            raise ValueError(
                f"Expected `{self.name}` to be one number, but got {self.low} to {self.high}."
            )
        if self.name == "random_crop" and self.low % 1:
            raise ValueError(f"Expected `random_crop` in whole pixels, but got {self.low}.")

    @property
    def idle(self) -> bool:
        """Whether it never changes an image."""
        identity = _IDENTITY.get(KINDS[self.name].reading)
        unmoved = self.name == "random_crop" and self.high == 0
        return self.p == 0 or unmoved or self.low == self.high == identity


def parse_operations(settings: Mapping[str, Setting]) -> dict[str, Operation]:
    """Parse operations by name, without those that never change an image.

    Args:
        settings: A number, a range, or a mapping with ``range`` and ``p``, by name.

    Returns:
        Operations in the order in which they are applied.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If a setting is none of the three.

    Example:
        >>> parse_operations({"shift": 0.1, "blur": 0})
        {'shift_x': Operation(name='shift_x', low=-0.1, high=0.1, p=1.0), \
'shift_y': Operation(name='shift_y', low=-0.1, high=0.1, p=1.0)}
    """
    plain = plain_value(dict(settings))
    operations = {one.name: one for name in plain for one in _parse(name, plain[name])}
    return {
        name: operations[name] for name in KINDS if name in operations and not operations[name].idle
    }


def _parse(name: str, setting: Setting) -> Iterator[Operation]:
    for single in _BOTH_AXES.get(name, (name,)):
        kind = KINDS[choose("operations", single, _NAMES)]
        amount, p = setting, 1.0
        if isinstance(setting, Mapping):
            unknown = sorted(set(setting) - {"range", "p"})
            if unknown:
                raise ValueError(
                    f"Expected `{name}` to have the keys 'range' and 'p', but got {unknown[0]!r}."
                )
            amount, p = setting.get("range", kind.default), setting.get("p", 1.0)
            if kind.reading != "probability" and "range" not in setting:
                raise ValueError(f"Expected `{name}` to have a 'range', but got {setting!r}.")
        if kind.reading == "probability" and not isinstance(setting, Mapping):
            amount, p = kind.default, _number(name, setting)
        yield Operation(single, *_range(name, kind, amount), p=p)


def _range(name: str, kind: _Kind, amount: Any) -> tuple[float, float]:
    if isinstance(amount, Sequence) and not isinstance(amount, str):
        if len(amount) != 2:
            raise ValueError(f"Expected `{name}` to be a range of two numbers, but got {amount!r}.")
        return _number(name, amount[0]), _number(name, amount[1])
    number = _number(name, amount)
    if kind.reading in _NOT_NEGATIVE and number < 0:
        raise ValueError(f"Expected `{name}` to be at least 0, but got {number}.")
    return _READ_AS[kind.reading](number) if kind.reading in _READ_AS else (number, number)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f"Expected `{name}` to be a number, a range of two or a mapping with 'range' and 'p', "
            f"but got {value!r}."
        )
    return value
