"""Data that enters after the first layer: a second input, columns concatenated to activations."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..vital_signs.signs import SideInput


class SideInputs:
    """Inspect the input of each trained layer but the first, once.

    Attributes:
        found: Input of each inspected layer, on any rank.
    """

    def __init__(self) -> None:
        self.found: dict[str, SideInput] = {}
        self._seen: set[str] = set()
        self._new: dict[str, tuple[Tensor, bool]] = {}

    def look(self, name: str, x: Tensor) -> None:
        """Record the input of a layer, the first time.

        Args:
            name: The layer.
            x: Its input: features or channels of each sample, or sequences of features.
        """
        is_data = x.grad_fn is None
        if name in self._seen or not (is_data or x.ndim == 2) or not x.numel():
            return
        self._seen.add(name)
        features = x.detach().movedim(1, -1) if x.ndim > 3 else x.detach()
        with torch.no_grad():
            squares = features.reshape(-1, features.shape[-1]).float().square().mean(0)
            some = squares.where(squares > 0, torch.nan)
            figures = torch.stack([squares.mean(), squares.max(), some.nanmedian()]).sqrt()
        self._new[name] = (figures, is_data)

    def news(self) -> dict[str, SideInput]:
        """Return what was observed since the last call, on the host."""
        new, self._new = self._new, {}
        if not new:
            return {}
        table = torch.stack([figures for figures, _ in new.values()]).tolist()
        flags = [is_data for _, is_data in new.values()]
        return {
            name: SideInput(rms, largest, usual, is_data)
            for name, (rms, largest, usual), is_data in zip(new, table, flags, strict=True)
        }

    def take(self, ranks: Sequence[Mapping[str, SideInput]]) -> None:
        """Merge the news of all ranks; for each layer, the first one counts."""
        for rank in ranks:
            self.found = {**rank, **self.found}

    def state_dict(self) -> dict[str, Any]:
        """Return what was merged so far."""
        return {
            name: (side.rms, side.largest, side.usual, side.is_data)
            for name, side in self.found.items()
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.found = {name: SideInput(*figures) for name, figures in state_dict.items()}
        self._seen = set(self.found)
