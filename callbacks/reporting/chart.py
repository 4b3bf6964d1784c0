"""Curves that share their axes."""

from dataclasses import dataclass

from .curve import Curve


@dataclass(frozen=True)
class Chart:
    """Curves over the same steps.

    Attributes:
        title: What they show.
        curves: The curves.
        reference: A value to compare with, and its label; None for none.
        from_zero: Whether the y-axis starts at 0, as for shares.
    """

    title: str
    curves: tuple[Curve, ...]
    reference: tuple[float, str] | None = None
    from_zero: bool = False
