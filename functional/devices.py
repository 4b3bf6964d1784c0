"""What a device can do, and the state of its random generator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def works_alongside(device: torch.device) -> bool:
    """Whether the host can go on while the device copies from and to page-locked memory.

    Args:
        device: The device.

    Returns:
        True for accelerators such as CUDA devices; False for CPUs and Apple's GPUs, whose memory
        is the host's.

    Example:
        >>> works_alongside(torch.device("cpu")), works_alongside(torch.device("mps"))
        (False, False)
    """
    accelerator = torch.accelerator.current_accelerator()
    return accelerator is not None and device.type == accelerator.type != "mps"


def random_state(device: torch.device) -> Tensor | None:
    """Return the state of the device's own default generator.

    Args:
        device: A CPU or an accelerator.

    Returns:
        Bytes, on the host; None if torch knows no generator of such a device.

    Example:
        >>> bool((random_state(torch.device("cpu")) == torch.get_rng_state()).all())
        True
    """
    if device.type == "cpu":
        return torch.get_rng_state()
    get: Any = getattr(getattr(torch, device.type, None), "get_rng_state", None)
    return None if get is None else get(device)


def set_random_state(device: torch.device, state: Tensor) -> None:
    """Set the state of the device's own default generator.

    Args:
        device: A CPU or an accelerator.
        state: From :func:`random_state`.

    Example:
        >>> cpu = torch.device("cpu")
        >>> state = random_state(cpu)
        >>> first = torch.rand(())
        >>> set_random_state(cpu, state)
        >>> bool(torch.rand(()) == first)
        True
    """
    if device.type == "cpu":
        torch.set_rng_state(state.cpu())
    else:
        getattr(torch, device.type).set_rng_state(state.cpu(), device)


@contextmanager
def same_random_state(device: torch.device) -> Iterator[None]:
    """Leave the generators of the CPU and of the device as they were.

    Args:
        device: A CPU or an accelerator.
    """
    states = {where: random_state(where) for where in {torch.device("cpu"), device}}
    try:
        yield
    finally:
        for where, state in states.items():
            if state is not None:
                set_random_state(where, state)
