"""The gradient noise scale from two consecutive steps."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.utilities.data import extract_batch_size
from torch import Tensor

from ....functional.gradients import total_norm
from ....functional.noise_scale import gradient_noise
from ....functional.running_moments import RunningMoments
from ....functional.sharded_norms import layer_norms

Gradients = Mapping[str, list[Tensor]]


class NoiseScale:
    """Average the gradient's noise and signal over the reports.

    Two consecutive steps see two batches with almost the same weights: their mean gradient is that
    of a batch twice as large. The same holds under accumulation and on any number of ranks.

    Attributes:
        batch_size: Number of samples in the current optimiser step; 0 if unknown.
    """

    def __init__(self) -> None:
        self.batch_size = 0
        self._step, self._sizes = -1, list[int]()
        self._kept: dict[str, list[Tensor]] = {}
        self._kept_scale, self._kept_batch = 1.0, 0
        self._noise, self._signal = RunningMoments(), RunningMoments()

    @property
    def value(self) -> float:
        """Gradient noise scale in samples; NaN before the first estimate or without a signal."""
        if not self._signal.mean > 0:
            return float("nan")
        return self._noise.mean / self._signal.mean

    def count(self, step: int, batch: Any, ranks: int) -> None:
        """Count the samples of a batch; Lightning cannot count those of every kind of batch."""
        if step != self._step:
            self._step, self._sizes = step, []
        self._sizes.append(extract_batch_size(batch) * ranks)

    def close(self, batches: int) -> None:
        """Set the step's batch size, if its gradient is divided by the number of its batches."""
        self.batch_size = sum(self._sizes) if len(self._sizes) == batches else 0

    def keep(self, gradients: Gradients, scale: float) -> None:
        """Keep the gradients of the first of two steps."""
        self._kept = {layer: [g.detach().clone() for g in gs] for layer, gs in gradients.items()}
        self._kept_scale, self._kept_batch = scale, self.batch_size

    def report(self, gradients: Gradients, scale: float) -> None:
        """Update the averages with the gradients of the second step."""
        kept, self._kept = self._kept, {}
        # A layer may have been frozen, added or replaced in between.
        same = _shapes(kept) == _shapes(gradients)
        if not kept or not same or not self.batch_size or not self._kept_batch:
            return
        factor = scale / self._kept_scale
        mean = {
            layer: [(a * factor + b) / 2 for a, b in zip(kept[layer], gs, strict=True)]
            for layer, gs in gradients.items()
        }
        found = [_total(kept) * factor, _total(gradients), _total(mean)]
        first, second, both = (torch.stack(found) / scale).square().tolist()
        # Two batches of different sizes have the noise of two batches of their harmonic mean.
        batch = 2 / (1 / self._kept_batch + 1 / self.batch_size)
        noise, signal = gradient_noise((first + second) / 2, both, batch, 2 * batch)
        self._noise.add(noise)
        self._signal.add(signal)

    def forget(self) -> None:
        """Release the kept gradients."""
        self._kept = {}

    def state_dict(self) -> dict[str, Any]:
        """The averages."""
        return {"noise": dict(vars(self._noise)), "signal": dict(vars(self._signal))}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore saved averages."""
        self._noise = RunningMoments(**state_dict["noise"])
        self._signal = RunningMoments(**state_dict["signal"])


def _shapes(gradients: Gradients) -> dict[str, list[torch.Size]]:
    return {layer: [g.shape for g in gs] for layer, gs in gradients.items()}


def _total(gradients: Gradients) -> Tensor:
    return total_norm(layer_norms(gradients))
