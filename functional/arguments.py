"""Validate arguments, with errors that name them.

A check takes the name of the argument, for the error message, and the value that the user gave. It
returns the value, converted where it says so.
"""

import operator
from collections.abc import Iterable
from typing import Any, SupportsFloat, SupportsIndex

import torch
from torch import Tensor


def whole_number(argument: str, value: SupportsIndex, *, least: int = 1) -> int:
    """Convert a whole number of any type to an ``int``.

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
    """Convert a whole number as `whole_number` does, unless it is None."""
    return None if value is None else whole_number(argument, value, least=least)


def number(
    argument: str,
    value: SupportsFloat | SupportsIndex,
    *,
    least: float | None = None,
    above: float | None = None,
) -> int | float:
    """Convert a number of any type to an ``int``, if its type is integral, or else a ``float``.

    The number may be infinite.

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
    """Check a name as `text` does, unless it is None."""
    return None if value is None else text(argument, value)


def any_tensor(argument: str, value: Tensor, *sizes: int | str) -> Tensor:
    """Check that a value is a tensor and has the given shape, if any.

    ``sizes`` holds the size of each dimension, or a name where any size will do.

    Raises:
        TypeError: If it is not a tensor.
        ValueError: If it has another shape.

    Example:
        >>> any_tensor("x", torch.tensor([[1.0, 2.0]]), "N", 2)
        tensor([[1., 2.]])
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"Expected `{argument}` to be a tensor, but got {value!r}.")
    fits = len(sizes) == value.ndim and all(
        isinstance(size, str) or size == found
        for size, found in zip(sizes, value.shape, strict=True)
    )
    if sizes and not fits:
        wanted = ", ".join(map(str, sizes)) + "," * (len(sizes) == 1)
        raise ValueError(
            f"Expected `{argument}` to have the shape ({wanted}), but got {tuple(value.shape)}."
        )
    return value


def whole_tensor(argument: str, value: Tensor, *sizes: int | str) -> Tensor:
    """Convert a tensor of whole numbers to int64, and check its shape.

    Raises:
        TypeError: If it is not a tensor, or not of whole numbers.
        ValueError: If it has another shape.

    Example:
        >>> whole_tensor("index", torch.tensor([3], dtype=torch.uint8))
        tensor([3])
    """
    dtype = any_tensor(argument, value, *sizes).dtype
    if dtype.is_floating_point or dtype.is_complex or dtype == torch.bool:
        raise TypeError(f"Expected `{argument}` to hold whole numbers, but got {dtype}.")
    return value.to(torch.int64)


def real_tensor(argument: str, value: Tensor, *sizes: int | str) -> Tensor:
    """Check that a value is a tensor of real numbers and has the given shape.

    Raises:
        TypeError: If it is not a tensor, or of complex numbers.
        ValueError: If it has another shape.

    Example:
        >>> real_tensor("x", torch.tensor([0.5]))
        tensor([0.5000])
    """
    if any_tensor(argument, value, *sizes).is_complex():
        raise TypeError(f"Expected `{argument}` to hold real numbers, but got {value.dtype}.")
    return value


def dimension(argument: str, value: SupportsIndex, of: Tensor) -> int:
    """Convert a dimension of a tensor, which may be counted from the last, to one from the first.

    Raises:
        TypeError: If it is not a whole number.
        ValueError: If the tensor has no such dimension.

    Example:
        >>> dimension("unit_dim", -1, torch.zeros(2, 3))
        1
    """
    found = whole_number(argument, value, least=-of.ndim)
    if found >= of.ndim:
        raise ValueError(
            f"Expected `{argument}` to be a dimension of a tensor of shape {tuple(of.shape)}, but "
            f"got {found}."
        )
    return found % of.ndim


def tensors(argument: str, values: Iterable[Tensor]) -> list[Tensor]:
    """List tensors, of which there must be at least one; a tensor stands for itself.

    Raises:
        TypeError: If they are not tensors.
        ValueError: If there are none.

    Example:
        >>> tensors("weights", [torch.tensor(1.0)])
        [tensor(1.)]
    """
    found = [values] if isinstance(values, Tensor) else list(values)
    if not found:
        raise ValueError(f"Expected `{argument}` to hold at least one tensor, but got none.")
    return [any_tensor(f"{argument}[{i}]", value) for i, value in enumerate(found)]


def plain_value(value: Any) -> Any:
    """Convert what NumPy and pandas have for numbers and lists, also within lists and mappings.

    A checkpoint that holds such objects does not load with ``weights_only=True``.

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
