"""Batches that contain NaN or infinity."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .batch_tensors import tensors_of

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class DataGaps:
    """Find the first batch that contains NaN or infinity.

    With losses on the host, the batch of the first non-finite loss is inspected, which costs
    nothing until then. On a device, the sum of each batch's entries is tested, without
    synchronisation.

    Attributes:
        first: Number of that batch, from 0, on any rank; -1 if there is none.
        batch: The current training batch; None between batches.
    """

    def __init__(self) -> None:
        self.first = -1
        self.batch: Any = None
        self._number = 0
        self._was_lost = self._is_on_host = False
        self._found = -1
        self._on_device: Tensor | None = None

    def open(self, batch: Any, number: int) -> None:
        """Record the batch that comes next."""
        self.batch, self._number = batch, number
        if not self._is_on_host and self.first < 0 and not self._was_lost:
            self._attempt(self._look_on_devices)

    def _attempt(self, look: Callable[[], None]) -> None:
        """Inspect the batch, and give up on any error: its structure is up to the user."""
        try:
            look()
        except Exception:
            self._was_lost = True

    def _look_on_devices(self) -> None:
        known = self._on_device
        for entries in _floating(self.batch, on_host=False):
            if known is not None and known.device != entries.device:
                continue
            first = torch.full((), -1, device=entries.device) if known is None else known
            fresh = (first < 0) & ~entries.sum(dtype=torch.float32).isfinite()
            known = torch.where(fresh, self._number, first)
        self._on_device = known

    def look(self, loss: Tensor) -> None:
        """Inspect the batch of the first non-finite loss, if the loss is on the host."""
        self._is_on_host = loss.is_cpu
        if self._is_on_host and not self._was_lost and not _is_finite(loss.detach()):
            self._was_lost = True
            self._attempt(self._look_on_host)

    def _look_on_host(self) -> None:
        entries = [*_floating(self.batch, on_host=True), *_floating(self.batch, on_host=False)]
        if not all(bool(tensor.isfinite().all()) for tensor in entries):
            self._found = self._number

    def close(self) -> None:
        """Release the batch."""
        self.batch = None

    def news(self) -> int:
        """Return the number of the first such batch on this rank; -1 if there is none."""
        on_device = -1 if self._on_device is None else int(self._on_device)
        return on_device if self._found < 0 else self._found

    def take(self, ranks: Sequence[int]) -> None:
        """Merge what all ranks have found."""
        found = [first for first in (self.first, *ranks) if first >= 0]
        self.first = min(found, default=-1)


def _is_finite(loss: Tensor) -> bool:
    # For a single number, Python's own test is faster.
    return math.isfinite(loss) if loss.numel() == 1 else bool(loss.isfinite().all())


def _floating(batch: Any, *, on_host: bool) -> list[Tensor]:
    return [
        tensor.detach()
        for tensor in tensors_of(batch)
        if (tensor.device.type == "cpu") == on_host and tensor.dtype in _DTYPES
    ]
