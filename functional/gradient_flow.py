"""Vanishing, exploding and non-finite gradients, from the norms of successive layers."""

from collections.abc import Callable, Sequence

from .arguments import number

_MIN_LAYERS = 3
_MIN_AFFECTED = 2


def vanishing_from(profile: Sequence[float], factor: float = 1e-3) -> int | None:
    """Find the layer from which on, towards the input, gradients have vanished.

    That is the layer nearest to the output such that it and all before it have less than
    ``factor`` of the last layer's gradient. At least two layers must be affected: a single one at
    the input has a small gradient because its input is small, or because its entries are rarely
    used (embeddings). Fewer than three layers give no verdict.

    Args:
        profile: Gradient norm of each weight layer from input to output, per parameter: divided
            by (number of entries)^(1/p), so that a layer's size does not matter.
        factor: Share of the last layer's gradient below which a gradient has vanished. 1e-3 is
            the ratio of AUTOTRAINER (Zhang et al. 2021).

    Returns:
        Position of the layer, or None.

    Raises:
        TypeError: If ``factor`` is not a number.
        ValueError: If it is not positive.

    Example:
        >>> vanishing_from([1e-6, 1e-5, 1e-4, 1e-1, 1.0])
        2
        >>> vanishing_from([0.2, 0.5, 1.0])
    """
    number("factor", factor, above=0)
    return _affected(profile, lambda gradient, last: gradient < factor * last, first=0)


def exploding_from(profile: Sequence[float], factor: float = 1e3) -> int | None:
    """Find the layer from which on, towards the input, gradients have exploded.

    That is the layer nearest to the output such that it and all before it have more than ``factor``
    times the last layer's gradient. The first layer is left out: its gradient is proportional to
    the input, so that inputs in 0..255 would count as an explosion.

    Args:
        profile: As for :func:`vanishing_from`.
        factor: Multiple of the last layer's gradient. AUTOTRAINER uses 70, for norms that are not
            per parameter, and includes the first layer.

    Returns:
        Position of the layer, or None.

    Raises:
        TypeError: If ``factor`` is not a number.
        ValueError: If it is not positive.

    Example:
        >>> exploding_from([1e6, 1e5, 1e4, 10.0, 1.0])
        2
    """
    number("factor", factor, above=0)
    return _affected(profile, lambda gradient, last: gradient > factor * last, first=1)


def not_finite_from(norms: Sequence[float]) -> int | None:
    """Find the layer nearest to the output whose gradient is NaN or infinite.

    Non-finite values spread from there towards the input.

    Args:
        norms: Gradient norm of each layer, from input to output.

    Returns:
        Position of the layer, or None.

    Example:
        >>> not_finite_from([float("nan"), float("inf"), 1.0])
        1
    """
    finite = [norm - norm == 0 for norm in norms]
    return max((i for i, is_finite in enumerate(finite) if not is_finite), default=None)


def _affected(
    profile: Sequence[float], is_affected: Callable[[float, float], bool], first: int
) -> int | None:
    if len(profile) < _MIN_LAYERS or not profile[-1] > 0:
        return None
    affected = 0
    for gradient in profile[first:-1]:
        if not is_affected(gradient, profile[-1]):
            break
        affected += 1
    return (
        first + affected - 1 if affected >= min(_MIN_AFFECTED, len(profile) - 1 - first) else None
    )
