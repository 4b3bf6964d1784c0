"""What each image of a batch drew."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .operation import KINDS, Operation

# Columns of the draws beside the operations' own amounts.
_GATES = 64
PARTNER, WHICH_MIX, NOISE = 128, 129, 256
CHOICES = (130, 131)


def first_columns() -> dict[str, int]:
    """First column of each operation's amounts.

    Example:
        >>> first_columns()["crop"]
        3
    """
    firsts, column = {}, 0
    for name, kind in KINDS.items():
        firsts[name] = column
        column += kind.columns
    return firsts


_FIRST = first_columns()
_ORDER = {name: position for position, name in enumerate(KINDS)}


def needed_columns(operations: Mapping[str, Operation], choices: int = 0) -> list[int]:
    """Columns that the operations draw from: what does not happen draws nothing.

    Args:
        operations: By name.
        choices: How many of them each image chooses; 0 for all.

    Returns:
        Column numbers, ascending.

    Example:
        >>> needed_columns({"shift_x": Operation("shift_x", -0.1, 0.1, p=0.5)})
        [1, 65]
    """
    columns = list(CHOICES[:choices])
    for name, operation in operations.items():
        if operation.low != operation.high or name in ("random_crop", "erasing", "mixup", "cutmix"):
            columns += range(_FIRST[name], _FIRST[name] + KINDS[name].columns)
        if operation.p < 1:
            columns.append(_GATES + _ORDER[name])
        if name in ("mixup", "cutmix"):
            columns += [PARTNER, WHICH_MIX]
    return sorted(set(columns))


class Draws:
    """Amounts of each operation for each image, from one table of uniform numbers.

    Args:
        operations: By name.
        uniform: Shape ``(N, columns)``, in [0, 1).
        columns: Number of each column.
        choices: How many operations each image chooses; 0 for all.
        extremes: Whether amounts are the ends of their ranges alone.

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
        choices: int = 0,
        extremes: bool = False,
    ) -> None:
        self.operations, self.choices, self.extremes = operations, choices, extremes
        self._uniform = uniform
        self._place = {column: place for place, column in enumerate(columns)}

    def __contains__(self, name: str) -> bool:
        return name in self.operations

    def constant(self, value: float) -> Tensor:
        """The same number for each image, shape ``(N,)``."""
        return self._uniform.new_full((len(self._uniform),), value)

    def column(self, column: int) -> Tensor:
        """Uniform numbers of one column, shape ``(N,)``."""
        return self._uniform[:, self._place[column]]

    def uniform(self, name: str, position: int = 0) -> Tensor:
        """Uniform numbers of one of an operation's columns, shape ``(N,)``."""
        return self.column(_FIRST[name] + position)

    def happens(self, name: str) -> Tensor | None:
        """Which images the operation happens to, boolean of shape ``(N,)``; None for all."""
        gate = None
        if self.operations[name].p < 1:
            gate = self.column(_GATES + _ORDER[name]) < self.operations[name].p
        if self.choices:
            # One more than there are operations: the choice of nothing.
            place, count = list(self.operations).index(name), len(self.operations) + 1
            drawn = [(self.column(column) * count).floor() for column in CHOICES[: self.choices]]
            chosen = torch.stack([choice == place for choice in drawn]).any(0)
            gate = chosen if gate is None else gate & chosen
        return gate

    def amount(self, name: str, identity: float = 0.0, unit: float = 1.0) -> Tensor:
        """Amount of an operation times ``unit``, shape ``(N,)``; ``identity`` where it is not."""
        low, high = self.operations[name].low * unit, self.operations[name].high * unit
        if low == high:
            amount = self.constant(low)
        else:
            uniform = self.uniform(name)
            uniform = uniform.round() if self.extremes else uniform
            symmetric = low == -high
            amount = (2 * uniform - 1) * high if symmetric else low + uniform * (high - low)
        gate = self.happens(name)
        return amount if gate is None else torch.where(gate, amount, identity)
