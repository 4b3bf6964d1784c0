"""Code that freezes what is not meant to train."""

from collections.abc import Sequence

_MAX_NAMES_IN_CODE = 8


def freezing_code(getter: str, names: Sequence[str]) -> str:
    """Return code that freezes parameters or layers, given by name; empty for too many."""
    if len(names) == 1:
        return f'model.{getter}("{names[0]}").requires_grad_(False)'
    each = ", ".join(f'"{name}"' for name in names)
    loop = f"for name in [{each}]: model.{getter}(name).requires_grad_(False)"
    return loop if len(names) <= _MAX_NAMES_IN_CODE else ""
