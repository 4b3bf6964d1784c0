"""Refuse arguments that cannot be, by their names."""

import operator
from typing import SupportsFloat, SupportsIndex


def whole_number(argument: str, value: SupportsIndex, *, least: int = 1) -> int:
    """A whole number of any kind as an ``int``.

    Args:
        argument: Name of the argument that the user gave, for the message.
        value: What the user gave.
        least: The least that it may be.

    Returns:
        The number.

    Raises:
        TypeError: If it is none: a truth value, text, or a float, be it a whole one.
        ValueError: If it is less.

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
    """The same of an argument that may be None.

    Args:
        argument: Name of the argument that the user gave, for the message.
        value: What the user gave.
        least: The least that it may be.

    Returns:
        The number, or None.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is less.

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
    """A number of any kind as an ``int``, where it is whole by its type, or a ``float``.

    Args:
        argument: Name of the argument that the user gave, for the message.
        value: What the user gave.
        least: The least that it may be.
        above: What it must be above.

    Returns:
        The number; it may be infinite.

    Raises:
        TypeError: If it is none: a truth value or text.
        ValueError: If it is NaN, or less.

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
    except (TypeError, ValueError, RuntimeError):  # torch's of a tensor with several entries
        return None


def flag(argument: str, value: bool) -> bool:
    """A truth value, and nothing that Python would merely take for one: ``"no"`` is true.

    Args:
        argument: Name of the argument that the user gave, for the message.
        value: What the user gave.

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
    """A name, not empty.

    Args:
        argument: Name of the argument that the user gave, for the message.
        value: What the user gave.

    Returns:
        The same.

    Raises:
        TypeError: If it is no text.
        ValueError: If it is empty.

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
    """The same of an argument that may be None.

    Args:
        argument: Name of the argument that the user gave, for the message.
        value: What the user gave.

    Returns:
        The same.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is empty.

    Example:
        >>> optional_text("validation_loss", None)
    """
    return None if value is None else text(argument, value)
