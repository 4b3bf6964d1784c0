"""Texts that are augmented and encoded on loading."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..text_augment import TextAugment
from .encoded_texts import Encode, flat_numbers, pad_numbers


class AugmentedTexts(Dataset[tuple[Tensor, Tensor]]):
    """Texts that are augmented and encoded each time they are loaded.

    Items wrap around: those beyond the last text start again with the first, so that a text that is
    drawn again can have a different item.

    Args:
        texts: The texts.
        encode: Returns the ids of a text's tokens.
        labels: Class index of each, int64 of shape ``(N,)``.
        augment: Augmentation, with draws that depend on (seed, epoch, item).
    """

    def __init__(
        self,
        texts: Sequence[str],
        encode: Encode,
        labels: Tensor,
        augment: TextAugment,
    ) -> None:
        self.texts, self.encode, self.labels = texts, encode, labels
        self.augment = augment
        # In shared memory, because worker processes persist over the epochs.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.texts)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the draws."""
        self._epoch.fill_(epoch)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        x, y = self.__getitems__([item])
        return x[0], y[0]

    def __getitems__(self, items: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Return a batch of items: token ids, int64 of shape ``(B, L)``, and labels."""
        index, epoch = torch.as_tensor(items, dtype=torch.int64), int(self._epoch)
        changed = (
            self.augment(self.texts[item % len(self)], index=item, epoch=epoch)[0]
            for item in index.tolist()
        )
        numbers, lengths = flat_numbers(self.encode(text) for text in changed)
        return pad_numbers(numbers, lengths), self.labels[index % len(self)]
