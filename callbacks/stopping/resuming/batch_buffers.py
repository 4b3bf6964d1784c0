"""Buffers as they were before a batch interrupted by an exception, such as BatchNorm's.

The batch is trained again when the run is resumed, and would count twice in them.
"""

from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.nn.parameter import is_lazy

from ..tensors import is_plain
from .exceptions import saves_on_exception
from .progress import batch_progress

# Larger buffers are tables and masks.
_MAX_ENTRIES = 65_536


class BatchBuffers:
    """Copy the buffers before each batch, if an exception may leave a checkpoint behind."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the copies, and determine again what to copy."""
        self._buffers: dict[str, Tensor] | None = None
        self._are_lazy = False
        self._copies: list[Tensor] = []
        self._batch = -1

    def begin_batch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the buffers as they are."""
        if self._buffers is None or self._are_lazy:
            self._are_lazy = any(map(is_lazy, pl_module.buffers()))
            self._buffers = _small_ones(pl_module) if saves_on_exception(trainer) else {}
            self._copies = [torch.empty_like(buffer) for buffer in self._buffers.values()]
        for copy, buffer in zip(self._copies, self._buffers.values(), strict=True):
            copy.copy_(buffer.detach())
        self._batch = batch_progress(trainer).total.ready

    def put_into(
        self, checkpoint: dict[str, Any], trainer: Trainer, pl_module: LightningModule
    ) -> None:
        """Put the buffers from before the batch into a checkpoint that is saved during it."""
        done = batch_progress(trainer)
        in_batch = done.current.ready != done.current.processed and done.total.ready == self._batch
        if not (in_batch and self._buffers):
            return
        now, weights = dict(_named(pl_module)), checkpoint["state_dict"]
        for (name, buffer), copy in zip(self._buffers.items(), self._copies, strict=True):
            if now.get(name) is buffer and name in weights:
                weights[name] = copy.clone()


def _small_ones(pl_module: LightningModule) -> dict[str, Tensor]:
    return {
        name: buffer
        for name, buffer in _named(pl_module)
        if is_plain(buffer) and buffer.numel() <= _MAX_ENTRIES
    }


def _named(pl_module: LightningModule) -> Iterator[tuple[str, Tensor]]:
    # A shared buffer has several names in a checkpoint.
    return pl_module.named_buffers(remove_duplicate=False)
