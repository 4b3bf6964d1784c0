"""Batches of tensors in memory."""

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor
from torch.utils.data import Dataset


class IndexedTensors(Dataset[tuple[Tensor, ...]]):
    """Rows of tensors of equal length, and their items as the last tensor of a batch.

    Images in the channels-last format keep it. Items wrap around: those beyond the last row start
    again with the first, so that a row that is drawn again can have a different item.

    Args:
        tensors: Each of shape ``(N, ...)``.

    Example:
        >>> IndexedTensors(torch.arange(4) * 10).__getitems__([2, 1])
        (tensor([20, 10]), tensor([2, 1]))
    """

    def __init__(self, *tensors: Tensor) -> None:
        self._channels_last = [_is_channels_last(tensor) for tensor in tensors]
        # Contiguous rows are copied many times faster.
        self._rows = [
            tensor.permute(0, 2, 3, 1) if last else tensor.contiguous()
            for tensor, last in zip(tensors, self._channels_last, strict=True)
        ]

    def __len__(self) -> int:
        return len(self._rows[0])

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self._rows[0].device

    def to(self, device: torch.device | str) -> "IndexedTensors":
        """Copy the data to a device; items should then be there as well."""
        moved = copy(self)
        moved._rows = [rows.to(device) for rows in self._rows]
        return moved

    def __getitem__(self, item: int) -> tuple[Tensor, ...]:
        return tuple(tensor[0] for tensor in self.__getitems__([item]))

    def __getitems__(self, items: Sequence[int] | Tensor) -> tuple[Tensor, ...]:
        """Return a batch of items, with the items last, int64 of shape ``(B,)``."""
        items = torch.as_tensor(items, device=self.device)
        index = items % len(self)
        # index_select is many times faster than indexing.
        batch = [rows.index_select(0, index) for rows in self._rows]
        for place, last in enumerate(self._channels_last):
            batch[place] = batch[place].permute(0, 3, 1, 2) if last else batch[place]
        return (*batch, items)


def _is_channels_last(tensor: Tensor) -> bool:
    return (
        tensor.ndim == 4
        and not tensor.is_contiguous()
        and tensor.is_contiguous(memory_format=torch.channels_last)
    )
