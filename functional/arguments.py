"""Validate arguments, with errors that name them."""

import operator
from typing import Any, SupportsFloat, SupportsIndex

from torch import Tensor


def whole_number(argument: str, value: SupportsIndex, *, least: int = 1) -> int:
    """Convert a whole number of any type to an ``int``.

    Args:
        argument: Name of the argument, for the error message.
        value: The value that the user gave.
        least: Smallest allowed value.

    Returns:
        The number.

    Raises:
        TypeError: If it is not one: a bool, text, or a float, even a whole one.
        ValueError: If it is below ``least``.

    Example:
        >>> whole_number("steps", 300)
        300
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"Expected `{argument}` to be a whole number, but got {value!r}.")
    if number < least:
        raise ValueError(f"Expected `{argument}` to be at least {least}, but got {number}.")
    return number


def optional_whole_number(
    argument: str, value: SupportsIndex | None, *, least: int = 1
) -> int | None:
    """Convert a whole number of any type to an ``int``, unless it is None.

    Args:
        argument: Name of the argument, for the error message.
        value: The value that the user gave.
        least: Smallest allowed value.

    Returns:
        The number, or None.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is below ``least``.

    Example:
        >>> optional_whole_number("every_n_steps", None)
    """
    return None if value is None else whole_number(argument, value, least=least)


def number(
    argument: str,
    value: SupportsFloat | SupportsIndex,
    *,
    least: float | None = None,
    above: float | None = None,
) -> int | float:
    """Convert a number of any type to an ``int``, if its type is integral, or else a ``float``.

    Args:
        argument: Name of the argument, for the error message.
        value: The value that the user gave.
        least: Smallest allowed value.
        above: Value that it must exceed.

    Returns:
        The number; it may be infinite.

    Raises:
        TypeError: If it is not a number, but a bool or text.
        ValueError: If it is NaN, below ``least`` or not above ``above``.

    Example:
        >>> number("patience", 2.5, least=0)
        2.5
    """
    found = _number_of(value)
    if found is None:
        raise TypeError(f"Expected `{argument}` to be a number, but got {value!r}.")
    if least is not None and not found >= least:
        raise ValueError(f"Expected `{argument}` to be at least {least:g}, but got {found}.")
    if above is not None and not found > above:
        raise ValueError(f"Expected `{argument}` to be above {above:g}, but got {found}.")
    if found != found:
        raise ValueError(f"Expected `{argument}` to be a number, but got {found}.")
    return found


def _number_of(value: SupportsFloat | SupportsIndex) -> int | float | None:
    if isinstance(value, bool | str | bytes):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # torch's, for a tensor of several entries
        return None


def flag(argument: str, value: bool) -> bool:
    """Check that a flag is a bool and not merely truthy, as even ``"no"`` is.

    Args:
        argument: Name of the argument, for the error message.
        value: The value that the user gave.

    Returns:
        The same.

    Raises:
        TypeError: If it is something else.

    Example:
        >>> flag("noise_scale", True)
        True
    """
    if not isinstance(value, bool):
        raise TypeError(f"Expected `{argument}` to be True or False, but got {value!r}.")
    return value


def text(argument: str, value: str) -> str:
    """Check that a name is a string and not empty.

    Args:
        argument: Name of the argument, for the error message.
        value: The value that the user gave.

    Returns:
        The same.

    Raises:
        TypeError: If it is not a string.
        ValueError: If it is empty or blank.

    Example:
        >>> text("monitor", "val_loss")
        'val_loss'
    """
    if not isinstance(value, str):
        raise TypeError(f"Expected `{argument}` to be a name, but got {value!r}.")
    if not value.strip():
        raise ValueError(f"Expected `{argument}` to be a name, but got {value!r}.")
    return value


def optional_text(argument: str, value: str | None) -> str | None:
    """Check that a name is None, or a string and not empty.

    Args:
        argument: Name of the argument, for the error message.
        value: The value that the user gave.

    Returns:
        The same.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is empty or blank.

    Example:
        >>> optional_text("validation_loss", None)
    """
    return None if value is None else text(argument, value)


def plain_value(value: Any) -> Any:
    """Convert what NumPy and pandas have for numbers and lists, also within lists and mappings.

    A checkpoint that holds such objects does not load with ``weights_only=True``.

    Args:
        value: An argument.

    Returns:
        The same in Python's own numbers, strings and lists; tensors and other objects as they are.

    Example:
        >>> import numpy as np
        >>> plain_value({"betas": (np.float64(0.9), 0.99), "sizes": np.array([3, 4])})
        {'betas': (0.9, 0.99), 'sizes': [3, 4]}
    """
    if isinstance(value, dict):
        return {name: plain_value(part) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(plain_value, value))
    return value.tolist() if hasattr(value, "tolist") and not isinstance(value, Tensor) else value
