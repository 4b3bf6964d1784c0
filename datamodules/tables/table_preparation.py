"""From tables to tensors, fitted to the training rows."""

from typing import Any

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
        """Return the fitted state as plain values; empty if not fitted."""
        if not self.fitted:
            return {}
        return {"features": self.encoder.state_dict(), "targets": self.targets.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Restore a fitted state; return whether that changes anything."""
        if not state or state == self.state_dict():
            return False
        self.encoder.load_state_dict(state["features"])
        self.targets.load_state_dict(state["targets"])
        self.fitted = True
        return True
