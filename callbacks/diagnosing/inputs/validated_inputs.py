"""Scale of the first layer's input in validation."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from ...monitoring.activations.compilation import eager_parts, is_transformed
from ...monitoring.activations.fused_attention import is_inside_encoder_layer
from ...monitoring.activations.module_scopes import Hook
from ..weights.anatomy import is_whole
from .first_batches import mean_and_deviation

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
        self._errors: list[Exception] = []
        self._look = _Call(self._seen, self._errors)
        self._handle: RemovableHandle | None = None

    def attach(self, module: nn.Module, name: str, batches: float) -> None:
        """Hook the layer of this name, if there is one.

        Args:
            module: The LightningModule.
            name: Name of the layer within it.
            batches: Number of batches in the validation; may be infinite.
        """
        self.detach()
        self.scale, self._seen = [], []
        parts = dict(eager_parts(module))
        if name and name in parts and not is_inside_encoder_layer(parts, name):
            stride = max(1, -(-batches // _MAX_BATCHES)) if math.isfinite(batches) else 1
            self._look = _Call(self._seen, self._errors, int(stride))
            self._handle = parts[name].register_forward_pre_hook(self._look)

    def end_batch(self) -> None:
        """Observe the layer's next call: it is the first in another batch."""
        self._look.is_first = True

    def detach(self) -> None:
        """Remove the hook."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def news(self) -> list[float]:
        """Return the mean and the deviation that this rank has observed; raise any error."""
        if self._errors:
            raise self._errors[0]
        return mean_and_deviation(torch.stack(self._seen).tolist()) if self._seen else self.scale

    def take(self, ranks: Sequence[Iterable[float]]) -> None:
        """Merge what the ranks have observed.

        Args:
            ranks: News of each rank.
        """
        known = [list(rank) for rank in ranks if rank]
        self.scale = mean_and_deviation(known) if known else []


class _Call(Hook):
    """A hook that keeps the moments of inputs in evaluation mode."""

    def __init__(self, seen: list[Tensor], errors: list[Exception], stride: int = 1) -> None:
        self.is_first = True
        self._seen, self._errors = seen, errors
        self._stride, self._batches = stride, 0

    def __call__(self, layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        """Record the call, without ever interrupting the forward pass."""
        if not self.is_first or self._errors or layer.training or is_transformed():
            return
        self.is_first, batch = False, self._batches
        self._batches += 1
        if batch % self._stride or len(self._seen) >= _MAX_BATCHES:
            return
        try:
            self._look(arguments[0] if arguments else None)
        except Exception as error:
            self._errors.append(error)

    def _look(self, x: Any) -> None:
        x = x.data if isinstance(x, PackedSequence) else x
        if is_whole(x) and x.is_floating_point() and x.numel() > 1:
            x = x.detach().as_subclass(Tensor).float()
            self._seen.append(torch.stack([x.mean(), x.std()]))
