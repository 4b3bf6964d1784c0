"""One quantity of many layers over time."""

import math
from collections.abc import Mapping
from typing import Any

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
        # Steps by layers, with room for more steps.
        self._cells = torch.empty(0, 0, dtype=torch.float64)

    @property
    def table(self) -> Tensor:
        """Values, shape ``(layers, steps)``, double precision; NaN where there is none."""
        used = self._cells[: len(self.steps), : len(self.last)]
        return used.t().clone(memory_format=torch.contiguous_format)

    @property
    def history(self) -> dict[str, list[float]]:
        """Values by layer, one for each of ``steps``; NaN where there is none."""
        return dict(zip(self.last, self.table.tolist(), strict=True))

    def of(self, layer: str) -> list[float]:
        """Values of one layer; empty if there is no such layer."""
        if layer not in self.last:
            return []
        values: list[float] = self._cells[: len(self.steps), list(self.last).index(layer)].tolist()
        return values

    def at(self, step: int) -> dict[str, float]:
        """Values of one step by layer; empty if the step has no row."""
        if step not in self.steps:
            return {}
        row = self._cells[self.steps.index(step), : len(self.last)]
        return dict(zip(self.last, row.tolist(), strict=True))

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
        self.last.update(values)
        self._make_room()
        row = self._cells[len(self.steps) - 1, : len(self.last)]
        kept = row.tolist() if len(values) < len(self.last) else ()
        known = dict(zip(self.last, kept, strict=False)) | dict(values)
        row.copy_(torch.tensor([known[layer] for layer in self.last], dtype=torch.float64))

    def _make_room(self) -> None:
        """Grow the table to half as many rows again as needed, if it is too small."""
        rows, columns = len(self.steps), len(self.last)
        if rows > self._cells.shape[0] or columns > self._cells.shape[1]:
            before, self._cells = (
                self._cells,
                self._cells.new_full((max(4, rows + rows // 2), columns), math.nan),
            )
            self._cells[: before.shape[0], : before.shape[1]] = before

    def _thin(self) -> None:
        if len(self.steps) < 2:
            return
        if len(self.steps) >= _MAX_ROWS or len(self.steps) * len(self.last) >= _MAX_CELLS:
            kept = slice((len(self.steps) - 1) % 2, None, 2)
            cells = self._cells[: len(self.steps)][kept].clone()
            self.steps, self.epochs, self._cells = self.steps[kept], self.epochs[kept], cells

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
        self._cells = state_dict["table"].t().clone()
