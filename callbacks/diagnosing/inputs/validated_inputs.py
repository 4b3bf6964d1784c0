"""Scale of the first layer's input in validation."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ...monitoring.activations.compilation import eager_parts
from ...monitoring.activations.fused_attention import is_inside_encoder_layer
from ..weights.anatomy import is_whole
from .first_batches import mean_and_deviation
from .hooks import Hooks

_MAX_BATCHES = 8


class ValidatedInputs:
    """Observe one layer's input in a few batches, spread over a validation.

    Only the first call in each batch counts: later ones, as by an ODE solver, may get what the
    network has computed. A layer inside a compiled region is not observed, nor one inside an
    encoder layer, which torch runs as one fused function in validation unless it has hooks.

    Attributes:
        scale: Mean and standard deviation of all entries in the last validation, over all ranks;
            empty if there was none.
    """

    def __init__(self) -> None:
        self.scale: list[float] = []
        self._seen: list[Tensor] = []
        self._hooks = Hooks()
        self._batches, self._stride, self._is_first = 0, 1, True

    def attach(self, module: nn.Module, name: str, batches: float) -> None:
        """Hook the layer of this name, if there is one.

        Args:
            module: The LightningModule.
            name: Name of the layer within it.
            batches: Number of batches in the validation; may be infinite.
        """
        self.detach()
        self.scale, self._seen = [], []
        self._batches, self._stride, self._is_first = 0, 1, True
        parts = dict(eager_parts(module))
        if name and name in parts and not is_inside_encoder_layer(parts, name):
            if math.isfinite(batches):
                self._stride = max(1, math.ceil(batches / _MAX_BATCHES))
            self._hooks.add(parts[name].register_forward_pre_hook, self._look)

    def _look(self, layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        if not self._is_first or layer.training:
            return
        self._is_first, batch = False, self._batches
        self._batches += 1
        if batch % self._stride or len(self._seen) >= _MAX_BATCHES:
            return
        x = arguments[0] if arguments else None
        x = x.data if isinstance(x, PackedSequence) else x
        if is_whole(x) and x.is_floating_point() and x.numel() > 1:
            x = x.detach().as_subclass(Tensor).float()
            self._seen.append(torch.stack([x.mean(), x.std()]))

    def end_batch(self) -> None:
        """Observe the layer's next call: it is the first in another batch."""
        self._is_first = True

    def detach(self) -> None:
        """Remove the hook."""
        self._hooks.remove()

    def news(self) -> list[float]:
        """Return the mean and the deviation that this rank has observed; raise any error."""
        self._hooks.raise_error()
        return mean_and_deviation(torch.stack(self._seen).tolist()) if self._seen else self.scale

    def take(self, ranks: Sequence[Iterable[float]]) -> None:
        """Merge what the ranks have observed.

        Args:
            ranks: News of each rank.
        """
        known = [list(rank) for rank in ranks if rank]
        self.scale = mean_and_deviation(known) if known else []
