"""Which kept weights fit a module that may have changed since they were kept."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.parameter import is_lazy

from .tensors import is_plain


class OtherParametersError(Exception):
    """A module has different parameters than when its weights were kept."""


def without_masks(weights: Mapping[str, Tensor], names: Mapping[str, Any]) -> dict[str, Tensor]:
    """Apply the masks of ``torch.nn.utils.prune`` to weights whose pruning is permanent by now.

    Args:
        weights: The kept weights.
        names: The module's current parameters and buffers, by name.
    """
    found = dict(weights)
    for name in names.keys() - weights.keys():
        parts = (f"{name}_orig", f"{name}_mask")
        if all(part in weights and part not in names for part in parts):
            entries, mask = (found.pop(part) for part in parts)
            found[name] = entries * mask
    return found


def weights_of(module: nn.Module) -> dict[str, Any]:
    """Return a module's state, with the trained parameters that its ``state_dict`` omits."""
    state = module.state_dict()
    return {**state, **left_out(module, state)}


def left_out(module: nn.Module, state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return trained parameters that a module's ``state_dict`` omits, as a filtered one does.

    Args:
        module: The module.
        state: Its ``state_dict``, whose names may differ.
    """
    saved = {_address(value) for value in state.values()}
    trained = ((name, p) for name, p in module.named_parameters() if p.requires_grad)
    return {
        name: parameter.detach()
        for name, parameter in trained
        if name not in state
        and not is_lazy(parameter)
        and parameter.numel()
        and _address(parameter) not in saved
    }


def _address(value: Any) -> int | None:
    value = value.to_local() if isinstance(value, DTensor) else value
    return value.data_ptr() if is_plain(value) else None


def that_fit(
    weights: Mapping[str, Tensor], module: nn.Module, *, whole: bool
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the kept weights that fit a module, and names of buffers resized or None by now.

    Args:
        weights: The kept weights.
        module: Their module.
        whole: Whether the kept weights are full tensors rather than shards.

    Raises:
        OtherParametersError: If parameters were added, removed or resized: restoring only some
            would mix two states.
    """
    # A lazy layer that has not been used yet has no weights.
    now = {name: value for name, value in weights_of(module).items() if not is_lazy(value)}
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    weights = without_masks(weights, now)
    sizes = {name: _size(value, whole=whole) for name, value in now.items()}
    resized = [n for n, value in weights.items() if n in now and _size(value) != sizes[n]]
    resized += [name for name in _empty_buffers(module) if name in weights]
    others = [name for name in weights if name not in now and name not in resized]
    others += [name for name in now if name in parameters and name not in weights]
    others += [name for name in resized if name in parameters]
    if others:
        more = f" and {len(others) - 3} others" if len(others) > 3 else ""
        raise OtherParametersError(", ".join(others[:3]) + more)
    return {n: value for n, value in weights.items() if n not in resized}, resized


def _empty_buffers(module: nn.Module) -> list[str]:
    """Return names of buffers that are None by now, which `named_buffers` omits."""
    return [
        f"{prefix}.{name}".lstrip(".")
        for prefix, part in module.named_modules()
        for name, value in part._buffers.items()
        if value is None
    ]


def _size(value: Any, *, whole: bool = True) -> tuple[int, ...] | None:
    if isinstance(value, DTensor) and not whole:
        value = value.to_local()
    return tuple(value.shape) if isinstance(value, Tensor) and not value.is_nested else None
