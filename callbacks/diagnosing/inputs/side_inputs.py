"""Data that comes in behind the first layer: a second input, columns joined to activations."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..vital_signs.signs import SideInput


class SideInputs:
    """Look once at what reaches each trained layer but the first.

    Attributes:
        found: Of each layer that was looked at, on any rank.
    """

    def __init__(self) -> None:
        self.found: dict[str, SideInput] = {}
        self._seen: set[str] = set()
        self._new: dict[str, tuple[Tensor, bool]] = {}

    def look(self, name: str, x: Tensor) -> None:
        """Take up what reaches a layer, the first time.

        Args:
            name: The layer.
            x: What reaches it: a row or a channel for each sample, or sequences of rows.
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
        """What was seen since the last time, on the host."""
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
        """Take up the news of all ranks; the first one's word on a layer stands."""
        for rank in ranks:
            self.found = {**rank, **self.found}

    def state_dict(self) -> dict[str, Any]:
        """What was taken up so far."""
        return {
            name: (side.rms, side.largest, side.usual, side.is_data)
            for name, side in self.found.items()
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.found = {name: SideInput(*figures) for name, figures in state_dict.items()}
        self._seen = set(self.found)
