"""The random draws of each image of a batch."""

import copy
from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from .operation import KINDS, Operation

# Columns of the draws besides those of the operations' own amounts.
_GATES = 64
PARTNER, WHICH_MIX, NOISE = 128, 129, 256
# Per turn of an image's choices: the column that draws the operation, and the first of its amounts.
_CHOICES = (130, 131)
_TURNS = (0, 192)


# First column of each operation's amounts.
_FIRST = dict(
    zip(KINDS, accumulate((kind.columns for kind in KINDS.values()), initial=0), strict=False)
)
_ORDER = {name: position for position, name in enumerate(KINDS)}


def needed_columns(operations: Mapping[str, Operation], choices: int = 0) -> list[int]:
    """Return the columns that the operations draw from; absent operations need none.

    Args:
        operations: Operations by name.
        choices: How often each image chooses one of them; 0 if all are applied.

    Returns:
        Column numbers, ascending.

    Example:
        >>> needed_columns({"shift_x": Operation("shift_x", -0.1, 0.1, p=0.5)})
        [1, 65]
    """
    columns = list(_CHOICES[:choices])
    for name, operation in operations.items():
        width = KINDS[name].columns
        # If an operation draws more than its amount, the rest is drawn even for a fixed amount.
        if operation.low != operation.high or width > 1 or name == "mixup":
            for start in _TURNS[: max(choices, 1)]:
                columns += range(start + _FIRST[name], start + _FIRST[name] + width)
        if operation.p < 1:
            columns.append(_GATES + _ORDER[name])
        if name in ("mixup", "cutmix"):
            columns += [PARTNER, WHICH_MIX]
    return sorted(set(columns))


class Draws:
    """Amounts of each operation for each image, from one table of uniform numbers.

    Args:
        operations: Operations by name.
        uniform: Shape ``(N, columns)``, in [0, 1).
        columns: Number of each column.
        turn: Index among each image's choices of one operation; None if all are applied.
        extremes: Whether amounts are only the ends of their ranges.

    Example:
        >>> draws = Draws({"hue": Operation("hue", -0.1, 0.1)}, torch.tensor([[0.5]]), [20])
        >>> draws.amount("hue")
        tensor([0.])
    """

    def __init__(
        self,
        operations: Mapping[str, Operation],
        uniform: Tensor,
        columns: Sequence[int],
        *,
        turn: int | None = None,
        extremes: bool = False,
    ) -> None:
        self.operations, self.turn, self.extremes = operations, turn, extremes
        self._uniform, self._start = uniform, _TURNS[turn or 0]
        self._choices = list(operations)
        self._place = {column: place for place, column in enumerate(columns)}

    def __contains__(self, name: str) -> bool:
        return name in self.operations

    def of(self, names: Sequence[str], rows: Tensor) -> "Draws":
        """Return the same draws for some of the images and some of the operations."""
        some = copy.copy(self)
        some.operations = {name: self.operations[name] for name in names}
        some._uniform = self._uniform[rows]
        return some

    def constant(self, value: float) -> Tensor:
        """Return the same number for each image, shape ``(N,)``."""
        return self._uniform.new_full((len(self._uniform),), value)

    def column(self, column: int) -> Tensor:
        """Return the uniform numbers of one column, shape ``(N,)``."""
        return self._uniform[:, self._place[column]]

    def uniform(self, name: str, position: int = 0) -> Tensor:
        """Return the uniform numbers of one of an operation's columns, shape ``(N,)``."""
        return self.column(self._start + _FIRST[name] + position)

    def happens(self, name: str) -> Tensor | None:
        """Return which images the operation applies to, boolean, ``(N,)``; None for all."""
        gate = None
        if self.operations[name].p < 1:
            gate = self.column(_GATES + _ORDER[name]) < self.operations[name].p
        if self.turn is not None:
            # One more than there are operations: the identity.
            place, count = self._choices.index(name), len(self._choices) + 1
            chosen = (self.column(_CHOICES[self.turn]) * count).floor() == place
            gate = chosen if gate is None else gate & chosen
        return gate

    def chosen(self, name: str) -> Tensor:
        """Return which images the operation applies to, boolean, ``(N,)``."""
        happens = self.happens(name)
        return self.constant(1) > 0 if happens is None else happens

    def where(self, name: str, applied: Tensor, otherwise: Tensor | float) -> Tensor:
        """Return ``applied`` for the images that the operation applies to, else ``otherwise``.

        Args:
            name: Name of the operation.
            applied: Shape ``(N, ...)``.
            otherwise: Tensor of the same shape, or a number.
        """
        happens = self.happens(name)
        if happens is None:
            return applied
        return torch.where(happens.view(-1, *[1] * (applied.ndim - 1)), applied, otherwise)

    def amount(self, name: str, identity: float = 0.0, unit: float = 1.0) -> Tensor:
        """Return the amount times ``unit``, shape ``(N,)``; ``identity`` if not applied."""
        low, high = self.operations[name].low * unit, self.operations[name].high * unit
        if low == high:
            amount = self.constant(low)
        else:
            uniform = self.uniform(name)
            uniform = uniform.round() if self.extremes else uniform
            symmetric = low == -high
            amount = (2 * uniform - 1) * high if symmetric else low + uniform * (high - low)
        return self.where(name, amount, identity)
