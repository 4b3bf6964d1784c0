"""One quantity of many layers over time."""

import math
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MAX_ROWS = 2_000
_MAX_CELLS = 2_000_000


class Record:
    """Table of layers by step that grows with each report and is thinned before it gets large.

    Beyond 2,000 rows, or two million cells, every second row is dropped; the latest stays.

    Attributes:
        steps: Step of each row, on the loggers' axis.
        epochs: Epoch of each row, from 0.
        last: Latest value of each layer.

    Example:
        >>> record = Record()
        >>> record.add(step=49, epoch=0, values={"conv": 1.0, "fc": 2.0})
        >>> record.history
        {'conv': [1.0], 'fc': [2.0]}
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.epochs: list[int] = []
        self.last: dict[str, float] = {}
        self._columns: dict[str, array[float]] = {}

    @property
    def table(self) -> Tensor:
        """Values, shape ``(layers, steps)``, double precision; NaN where there is none."""
        rows = np.array(list(self._columns.values()), dtype=np.float64)
        return torch.from_numpy(rows.reshape(len(self.last), len(self.steps)))

    @property
    def history(self) -> dict[str, list[float]]:
        """Values by layer, one for each of ``steps``; NaN where there is none."""
        return {layer: column.tolist() for layer, column in self._columns.items()}

    def of(self, layer: str) -> list[float]:
        """Values of one layer; empty if there is no such layer."""
        return self._columns[layer].tolist() if layer in self._columns else []

    def at(self, step: int) -> dict[str, float]:
        """Values of one step by layer; empty if the step has no row."""
        if step not in self.steps:
            return {}
        row = self.steps.index(step)
        return {layer: column[row] for layer, column in self._columns.items()}

    def add(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Add a row, or more layers to the row of the same step.

        Args:
            step: Step of the report.
            epoch: Epoch of the report.
            values: Value by layer.
        """
        if not (self.steps and self.steps[-1] == step):
            self._thin()
            self.steps.append(step)
            self.epochs.append(epoch)
            for column in self._columns.values():
                column.append(math.nan)
        self.last.update(values)
        for layer, value in values.items():
            if layer not in self._columns:
                self._columns[layer] = array("d", [math.nan]) * len(self.steps)
            self._columns[layer][-1] = value

    def _thin(self) -> None:
        if len(self.steps) < 2:
            return
        if len(self.steps) >= _MAX_ROWS or len(self.steps) * len(self.last) >= _MAX_CELLS:
            kept = slice((len(self.steps) - 1) % 2, None, 2)
            self.steps, self.epochs = self.steps[kept], self.epochs[kept]
            self._columns = {layer: column[kept] for layer, column in self._columns.items()}

    def state_dict(self) -> dict[str, Any]:
        """The whole record, in types that ``torch.load(weights_only=True)`` accepts."""
        return {
            "steps": list(self.steps),
            "epochs": list(self.epochs),
            "last": dict(self.last),
            "table": self.table,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a saved record."""
        self.steps = list(state_dict["steps"])
        self.epochs = list(state_dict["epochs"])
        self.last = dict(state_dict["last"])
        rows = zip(self.last, state_dict["table"].tolist(), strict=True)
        self._columns = {layer: array("d", row) for layer, row in rows}
