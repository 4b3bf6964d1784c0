"""Resolve a name to one of a table of choices."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


def choose(argument: str, name: str, choices: Mapping[str, T]) -> T:
    """Look up ``name`` in ``choices``, with an error that shows the nearest and all names.

    Args:
        argument: Name of the argument, for the error message.
        name: The name that the user gave.
        choices: Values by name.

    Raises:
        ValueError: If ``name`` is not one of the choices.

    Example:
        >>> choose("norm", "batch", {"batch": 1, "none": 0})
        1
    """
    if isinstance(name, str) and name in choices:
        return choices[name]
    nearest = get_close_matches(str(name), choices, n=1, cutoff=0.4)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(
        f"Expected `{argument}` to be one of {', '.join(map(repr, choices))}, "
        f"but got {name!r}.{hint}"
    )
