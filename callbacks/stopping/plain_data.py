"""Data that a checkpoint can hold and that loads without pickled classes."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

_ATOMS = (bool, int, float, str, bytes, type(None))


def to_host(data: Any) -> tuple[Any, list[bool], int]:
    """Copy data to the host.

    Args:
        data: Tensors, numbers and text, in lists, tuples and dicts.

    Returns:
        The same without what autograd knows; for each tensor whether it was on the host; and how
        many bytes they have together.

    Raises:
        TypeError: If anything else is in it.
    """
    was_on_host: list[bool] = []
    size = 0

    def copy(tensor: Tensor) -> Tensor:
        nonlocal size
        was_on_host.append(tensor.device.type == "cpu")
        size += tensor.nbytes
        # Even there, as a checkpoint would hold all of what a tensor is a view of.
        return tensor.detach().to("cpu", copy=True)

    return _mapped(data, copy), was_on_host, size


def from_host(data: Any, was_on_host: list[bool], device: torch.device) -> Any:
    """Bring such a copy back to where it was, with ``device`` for that of this process."""
    stays: Iterator[bool] = iter(was_on_host)
    return _mapped(data, lambda tensor: tensor if next(stays) else tensor.to(device))


def _mapped(data: Any, change: Callable[[Tensor], Tensor]) -> Any:
    kind = type(data)
    if kind is Tensor and data.layout is torch.strided and not data.is_nested:
        return change(data)
    if kind in (list, tuple):
        return kind(_mapped(one, change) for one in data)
    if kind in (dict, OrderedDict):
        return kind((_atom(key), _mapped(one, change)) for key, one in data.items())
    return _atom(data)


def _atom(data: Any) -> Any:
    if type(data) in _ATOMS:
        return data
    raise TypeError(f"a checkpoint should hold no {type(data).__name__}")
