"""Data that enters after the first layer: a second input, columns concatenated to activations."""

import torch
from torch import Tensor

from ..vital_signs.signs import SideInput
from .first_calls import FirstCalls


class SideInputs(FirstCalls):
    """Inspect the input of each trained layer but the first, once."""

    @property
    def found(self) -> dict[str, SideInput]:
        """Input of each inspected layer."""
        return {
            name: SideInput(rms, largest, usual, bool(is_data))
            for name, (rms, largest, usual, is_data) in self.rows.items()
        }

    def look(self, name: str, x: Tensor) -> None:
        """Record the input of a layer, the first time.

        Args:
            name: The layer.
            x: Its input: features or channels of each sample, or sequences of features.
        """
        is_data = x.grad_fn is None
        if self.has(name) or not (is_data or x.ndim == 2) or not x.numel():
            return
        features = x.detach().movedim(1, -1) if x.ndim > 3 else x.detach()
        with torch.no_grad():
            squares = features.reshape(-1, features.shape[-1]).float().square().mean(0)
            some = squares.where(squares > 0, torch.nan)
            figures = torch.stack([squares.mean(), squares.max(), some.nanmedian()]).sqrt()
            self._new[name] = torch.cat([figures, figures.new_full((1,), float(is_data))])
