"""Figures as text, for sentences."""

import math

_MILLION = 1e6
_LEAST_PERCENTAGE = 1e-3


def in_two_digits(figure: float) -> str:
    """Round a figure to two significant digits, without an exponent below a million.

    Example:
        >>> in_two_digits(843.2), in_two_digits(0.0512), in_two_digits(68_300)
        ('840', '0.051', '68,000')
    """
    rounded = float(f"{figure:.2g}")
    if 1000 <= abs(rounded) < _MILLION:
        return f"{rounded:,.0f}"
    return f"{rounded:g}"


def as_multiple(ratio: float) -> str:
    """Return how many times as large something is, small ratios as a power of ten.

    Example:
        >>> as_multiple(2200.0), as_multiple(0.016), as_multiple(3.5e-4), as_multiple(0.0)
        ('2,200 times', '0.016 times', '3.5e-4 times', '0 times')
    """
    if 0 < abs(ratio) < _LEAST_PERCENTAGE:
        digits, exponent = f"{ratio:.1e}".split("e")
        return f"{digits}e{int(exponent)} times"
    return f"{in_two_digits(ratio)} times"


def as_share(share: float) -> str:
    """Return a share in percent, below a thousandth as a power of ten, from 1 on as a multiple.

    Example:
        >>> as_share(0.0113), as_share(2e-5), as_share(130_000.0)
        ('1.1%', '2e-5', '130,000 times')
    """
    if not math.isfinite(share) or share >= 1:
        return as_multiple(share)
    if 0 < share < _LEAST_PERCENTAGE:
        digits, exponent = f"{share:.1e}".split("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{in_two_digits(100 * share)}%"


def as_length(share: float) -> str:
    """Return the length of a step relative to that of the weights.

    Example:
        >>> as_length(0.0113), as_length(2200.0)
        ('1.1% of their length', '2,200 times their length')
    """
    said = as_share(share)
    return f"{said} their length" if said.endswith("times") else f"{said} of their length"
