"""What a metric's states took up since an earlier moment, in few bytes, and the states from it.

Lists of torchmetrics only grow, and a batch changes few numbers of a large table of counts.
"""

from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor

from .metric_states import MetricState

# Up to as many numbers, to look for those that changed takes longer than to take all.
_MAX_ENTRIES_OF_SMALL = 1024
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}


class Packed(NamedTuple):
    """A tensor's bytes, which are pickled ten times as fast as the tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    data: bytes


class Appended(NamedTuple):
    """What a list has behind its first ``kept`` tensors."""

    kept: int
    new: list[Packed]


class Replaced(NamedTuple):
    """Words of a tensor that changed, and where among all of its words they are."""

    places: Packed
    words: Packed


Change = Packed | Appended | Replaced


class StateChange(TypedDict):
    """One metric's new sums.

    Attributes:
        updates: How many updates they are of.
        values: What changed, by the names of the metric's states.
    """

    updates: int
    values: dict[str, Change]


def state_change(before: MetricState | None, after: MetricState) -> StateChange:
    """Find what is new.

    Args:
        before: The states that are known; None if none are.
        after: Those of now, of the same metric.

    Returns:
        What `changed_state` makes ``after`` of, in the host's memory.

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
    """Make states of what is new.

    Args:
        before: The states that were known, in the host's memory, whose tensors and lists are
            changed in place.
        change: What `state_change` gave, equal states being known to it.

    Returns:
        The states of now.

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
    """Whether it says all, so that it does not matter which states were known.

    Args:
        change: What `state_change` gave.

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
    """Whether two tensors, or lists of them, are equal, a NaN being equal to itself.

    Args:
        one: A tensor or a list of tensors.
        other: What may be one of the same kind, on any device.

    Returns:
        Whether it is, with the same types and shapes.

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
    # A metric's `forward` copies the tensors: to compare all of them would take longer each batch.
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
    """Its memory as whole numbers."""
    return value.detach().contiguous().flatten().view(_WORDS[value.element_size()])


def _packed(value: Tensor) -> Packed:
    data = _words(value).cpu().view(torch.uint8).numpy().tobytes()
    return Packed(value.dtype, tuple(value.shape), data)


def _unpacked(packed: Packed) -> Tensor:
    if not packed.data:
        return torch.empty(packed.shape, dtype=packed.dtype)
    return torch.frombuffer(bytearray(packed.data), dtype=packed.dtype).reshape(packed.shape)
