"""From tables to tensors, fitted to the training rows."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .class_labels import ClassLabels
from .table import Table
from .table_encoder import TableEncoder
from .table_source import TableSource
from .target_numbers import TargetNumbers


class TablePreparation:
    """Encode features and targets of tables, once fitted to the training rows or restored.

    Args:
        source: Separates targets from features.
        encoder: Encodes the features.
        targets: Encodes the targets.

    Attributes:
        fitted: Whether it is fitted or restored.
    """

    def __init__(
        self, source: TableSource, encoder: TableEncoder, targets: ClassLabels | TargetNumbers
    ) -> None:
        self.source, self.encoder, self.targets = source, encoder, targets
        self.fitted = False

    def classes(self, table: Table) -> Tensor | None:
        """Return the class of each row, int64 of shape ``(N,)``; None for regression."""
        if not isinstance(self.targets, ClassLabels):
            return None
        names = self.source.targets(table)
        if not self.fitted:
            self.targets.fit(table, names)
        return self.targets.encode(table, names)

    def fit(self, table: Table, rows: Tensor) -> None:
        """Fit to the training rows, unless fitted already."""
        if self.fitted:
            return
        if isinstance(self.targets, TargetNumbers):
            self.targets.fit(table, self.source.targets(table), rows.numpy())
        self.encoder.fit(table, self.source.feature_names(table), rows.numpy())
        self.fitted = True

    def encode(self, table: Table) -> tuple[Tensor, Tensor]:
        """Return features, float32 of shape ``(N, features)``, and targets of all rows."""
        return self.encoder.encode(table), self.targets.encode(table, self.source.targets(table))

    def state_dict(self) -> dict[str, Any]:
        """Return the fitted state as plain values and tensors; empty if not fitted."""
        if not self.fitted:
            return {}
        return {"features": self.encoder.state_dict(), "targets": self.targets.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Restore a fitted state; return whether that changes anything."""
        if not state or same_state(state, self.state_dict()):
            return False
        self.encoder.load_state_dict(state["features"])
        self.targets.load_state_dict(state["targets"])
        self.fitted = True
        return True


def same_state(first: Any, second: Any) -> bool:
    """Whether two states hold the same values.

    Example:
        >>> same_state({"a": [torch.ones(2)]}, {"a": [torch.ones(2)]}), same_state([1], [2])
        (True, False)
    """
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.equal(first.cpu(), second.cpu())
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            same_state(first[key], second[key]) for key in first
        )
    if _is_list(first) and _is_list(second):
        return len(first) == len(second) and all(map(same_state, first, second))
    return bool(first == second)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
