"""Curves that share their axes."""

from dataclasses import dataclass

from .curve import Curve


@dataclass(frozen=True)
class Chart:
    """Some curves over the same steps.

    Attributes:
        title: What they show.
        curves: Each of them.
        reference: A value to compare with, and what it is; None for none.
        from_zero: Whether the axis begins at 0, as that of a share does.
    """

    title: str
    curves: tuple[Curve, ...]
    reference: tuple[float, str] | None = None
    from_zero: bool = False
