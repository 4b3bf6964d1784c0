"""Compact changes of a metric's states since an earlier time, and how to apply them.

List states of torchmetrics only grow, and a batch changes few numbers of a large table of counts.
"""

from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor

from .metric_states import MetricState

# Up to this many numbers, finding those that changed takes longer than packing all.
_MAX_ENTRIES_OF_SMALL = 1024
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}


class Packed(NamedTuple):
    """A tensor's bytes, which pickle ten times as fast as the tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    data: bytes


class Appended(NamedTuple):
    """The tensors of a list after its first ``kept`` ones."""

    kept: int
    new: list[Packed]


class Replaced(NamedTuple):
    """The words of a tensor that changed, and their positions among all of its words."""

    places: Packed
    words: Packed


Change = Packed | Appended | Replaced


class StateChange(TypedDict):
    """The change of one metric's state.

    Attributes:
        updates: Number of updates after the change.
        values: Changes by the names of the metric's states.
    """

    updates: int
    values: dict[str, Change]


def state_change(before: MetricState | None, after: MetricState) -> StateChange:
    """Find the change between two states of a metric.

    Args:
        before: The known state; None if there is none.
        after: The current state of the same metric.

    Returns:
        The change, in host memory, from which `changed_state` makes ``after``.

    Example:
        >>> before = {"updates": 1, "values": {"scores": [torch.tensor([0.5])]}}
        >>> after = {"updates": 2, "values": {"scores": [torch.tensor([0.5]), torch.tensor([1.0])]}}
        >>> len(state_change(before, after)["values"]["scores"].new)
        1
    """
    known: dict[str, Any] = {}
    if before is not None and before["updates"] <= after["updates"]:
        known = before["values"]
    return {
        "updates": after["updates"],
        "values": {
            name: _appended(known.get(name), value)
            if isinstance(value, list)
            else _replaced(known.get(name), value)
            for name, value in after["values"].items()
        },
    }


def changed_state(before: MetricState | None, change: StateChange) -> MetricState:
    """Apply a change to a known state.

    Args:
        before: The known state, in host memory, whose tensors and lists are changed in place.
        change: Result of `state_change` for an equal known state.

    Returns:
        The current state.

    Example:
        >>> before = {"updates": 1, "values": {"total": torch.tensor(2.0)}}
        >>> after = {"updates": 2, "values": {"total": torch.tensor(5.0)}}
        >>> changed_state(before, state_change(before, after))
        {'updates': 2, 'values': {'total': tensor(5.)}}
    """
    known = {} if before is None else before["values"]
    values = {name: _applied(known.get(name), new) for name, new in change["values"].items()}
    return {"updates": change["updates"], "values": values}


def says_all(change: StateChange) -> bool:
    """Whether a change is complete, so that it does not matter which state was known.

    Args:
        change: Result of `state_change`.

    Returns:
        Whether no earlier state is needed to apply it.

    Example:
        >>> says_all(state_change(None, {"updates": 1, "values": {"sum": torch.ones(2)}}))
        True
    """
    return all(
        isinstance(new, Packed) or (isinstance(new, Appended) and not new.kept)
        for new in change["values"].values()
    )


def same_bits(one: Any, other: Any) -> bool:
    """Whether two tensors, or lists of them, are equal bit for bit, so that NaN equals itself.

    Args:
        one: A tensor or a list of tensors.
        other: A tensor or a list of tensors, on any device.

    Returns:
        Whether they are, with the same dtypes and shapes.

    Example:
        >>> same_bits(torch.tensor(float("nan")), torch.tensor(float("nan")))
        True
    """
    if one is other:
        return True
    if isinstance(one, list) or isinstance(other, list):
        if type(one) is not type(other) or len(one) != len(other):
            return False
        return all(same_bits(a, b) for a, b in zip(one, other, strict=True))
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(_words(one), _words(other).to(one.device))


def _appended(before: Any, after: list[Tensor]) -> Appended:
    kept = len(before) if isinstance(before, list) else 0
    # A metric's `forward` copies the tensors: comparing all would take longer with each batch.
    if kept > len(after) or (kept and not same_bits(before[kept - 1], after[kept - 1])):
        kept = 0
    return Appended(kept, [_packed(value) for value in after[kept:]])


def _replaced(before: Any, after: Tensor) -> Packed | Replaced:
    if after.numel() <= _MAX_ENTRIES_OF_SMALL or not isinstance(before, Tensor):
        return _packed(after)
    if before.dtype != after.dtype or before.shape != after.shape:
        return _packed(after)
    words = _words(after)
    places = (_words(before) != words).nonzero().flatten()
    if 2 * places.numel() >= words.numel():
        return _packed(after)
    return Replaced(_packed(places), _packed(words[places]))


def _applied(before: Any, change: Change) -> Any:
    match change:
        case Appended():
            values: list[Tensor] = before if change.kept else []
            del values[change.kept :]
            values += [_unpacked(new) for new in change.new]
            return values
        case Replaced():
            _words(before)[_unpacked(change.places)] = _unpacked(change.words)
            return before
        case Packed():
            return _unpacked(change)


def _words(value: Tensor) -> Tensor:
    """View a tensor's memory as integers."""
    return value.detach().contiguous().flatten().view(_WORDS[value.element_size()])


def _packed(value: Tensor) -> Packed:
    data = _words(value).cpu().view(torch.uint8).numpy().tobytes()
    return Packed(value.dtype, tuple(value.shape), data)


def _unpacked(packed: Packed) -> Tensor:
    if not packed.data:
        return torch.empty(packed.shape, dtype=packed.dtype)
    return torch.frombuffer(bytearray(packed.data), dtype=packed.dtype).reshape(packed.shape)
