"""Scale of the first layer's input in validation."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from ...monitoring.activations.compilation import eager_parts, is_transformed
from ...monitoring.activations.module_scopes import Hook
from ..weights.anatomy import is_whole

_MAX_CALLS = 8


class ValidatedInputs:
    """Observe one layer's input in a few calls, spread over the batches of a validation.

    A layer inside a compiled region is not observed.

    Attributes:
        scale: Mean and standard deviation of all entries in the last validation, over all ranks;
            empty if there was none.
    """

    def __init__(self) -> None:
        self.scale: list[float] = []
        self._seen: list[Tensor] = []
        self._errors: list[Exception] = []
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
        layer = dict(eager_parts(module)).get(name)
        if name and layer is not None:
            stride = max(1, -(-batches // _MAX_CALLS)) if math.isfinite(batches) else 1
            look = _Call(self._seen, self._errors, int(stride))
            self._handle = layer.register_forward_pre_hook(look)

    def detach(self) -> None:
        """Remove the hook."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def news(self) -> list[float]:
        """Return the mean and the deviation that this rank has observed; raise any error."""
        if self._errors:
            raise self._errors[0]
        return _joined(torch.stack(self._seen).tolist()) if self._seen else self.scale

    def take(self, ranks: Sequence[Iterable[float]]) -> None:
        """Merge what the ranks have observed.

        Args:
            ranks: News of each rank.
        """
        known = [list(rank) for rank in ranks if rank]
        self.scale = _joined(known) if known else []


def _joined(parts: Sequence[Sequence[float]]) -> list[float]:
    """Combine means and standard deviations of parts of equal size into those of all entries."""
    means, deviations = torch.tensor(parts, dtype=torch.float64).T
    variance = deviations.square().mean() + means.var(correction=0)
    return [float(means.mean()), math.sqrt(variance)]


class _Call(Hook):
    """A hook that keeps the moments of inputs in evaluation mode."""

    def __init__(self, seen: list[Tensor], errors: list[Exception], stride: int) -> None:
        self._seen, self._errors = seen, errors
        self._stride, self._calls = stride, 0

    def __call__(self, layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        """Record the call, without ever interrupting the forward pass."""
        if self._errors or layer.training or is_transformed() or len(self._seen) >= _MAX_CALLS:
            return
        self._calls += 1
        if (self._calls - 1) % self._stride:
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
