"""One quantity of many layers over time."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_MAX_ROWS = 2_000
_MAX_CELLS = 2_000_000


class Record:
    """A table, layers by step, that grows with each report and is thinned before it is large.

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
        self._rows: list[Tensor] = []

    @property
    def table(self) -> Tensor:
        """Values, shape ``(layers, steps)``, double precision; NaN where there is none."""
        table = torch.full((len(self._rows), len(self.last)), float("nan"), dtype=torch.float64)
        for row, values in zip(table, self._rows, strict=True):
            row[: len(values)] = values
        return table.t()

    @property
    def history(self) -> dict[str, list[float]]:
        """Values by layer, one for each of ``steps``; NaN where there is none."""
        return dict(zip(self.last, self.table.tolist(), strict=True))

    def of(self, layer: str) -> list[float]:
        """Values of one layer; none where there is no such layer."""
        names = list(self.last)
        if layer not in self.last:
            return []
        place = names.index(layer)
        return [float(row[place]) if place < len(row) else math.nan for row in self._rows]

    def add(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Add a row, or more layers to the row of the same step.

        Args:
            step: Step of the report.
            epoch: Epoch of the report.
            values: Value by layer.
        """
        row = dict(values)
        if self.steps and self.steps[-1] == step:
            row = {**dict(zip(self.last, self._rows.pop().tolist(), strict=False)), **row}
        else:
            self._thin()
            self.steps.append(step)
            self.epochs.append(epoch)
        self.last.update(values)
        cells = [row.get(layer, math.nan) for layer in self.last]
        self._rows.append(torch.tensor(cells, dtype=torch.float64))

    def _thin(self) -> None:
        if len(self.steps) < 2:
            return
        if len(self.steps) >= _MAX_ROWS or len(self.steps) * len(self.last) >= _MAX_CELLS:
            kept = slice((len(self.steps) - 1) % 2, None, 2)
            self.steps, self.epochs = self.steps[kept], self.epochs[kept]
            self._rows = self._rows[kept]

    def state_dict(self) -> dict[str, Any]:
        """The whole record, of types that ``torch.load(weights_only=True)`` takes."""
        return {
            "steps": list(self.steps),
            "epochs": list(self.epochs),
            "last": dict(self.last),
            "table": self.table,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take up a saved record."""
        self.steps = list(state_dict["steps"])
        self.epochs = list(state_dict["epochs"])
        self.last = dict(state_dict["last"])
        self._rows = list(state_dict["table"].t().contiguous().unbind())
