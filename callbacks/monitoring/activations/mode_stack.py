"""A mode's position among the modes that are entered."""

import torch
from torch.overrides import (
    TorchFunctionMode,
    _get_current_function_mode_stack,
    _pop_mode,
    _push_mode,
)


def entered_after(mode: TorchFunctionMode) -> list[TorchFunctionMode]:
    """Modes that were entered after this one and not left yet, in order."""
    stack: list[TorchFunctionMode]
    stack = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
    return stack[stack.index(mode) + 1 :] if mode in stack else []


def leave(mode: TorchFunctionMode) -> None:
    """Leave this mode, which need not be the last one entered.

    A mode's ``__exit__`` leaves the last mode, whichever it is. So if this mode is no longer
    entered, it was left in place of another one, which is left now.
    """
    above = entered_after(mode)
    for _ in above:
        _pop_mode()  # type: ignore[no-untyped-call]
    if torch._C._len_torch_function_stack():
        _pop_mode()  # type: ignore[no-untyped-call]
    for other in above:
        _push_mode(other)  # type: ignore[no-untyped-call]
