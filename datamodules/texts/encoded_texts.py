"""Texts as padded batches of token ids."""

from array import array
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

Encode = Callable[[str], list[int]]
Batch = Tensor | tuple[Tensor, Tensor]


class EncodedTexts(Dataset[Batch]):
    """Texts that are encoded once; a batch is ``(x, y)``, or ``x`` without labels.

    Args:
        texts: The texts.
        encode: Returns the ids of a text's tokens.
        labels: Class index of each, int64 of shape ``(N,)``.

    Example:
        >>> data = EncodedTexts(["1 2 3", "4"], lambda text: list(map(int, text.split())))
        >>> data.__getitems__([1, 0])
        tensor([[4, 0, 0],
                [1, 2, 3]])
    """

    def __init__(
        self,
        texts: Sequence[str],
        encode: Encode,
        labels: Tensor | None = None,
    ) -> None:
        # One tensor instead of a list of many: worker processes share it without a copy.
        self.numbers, self.lengths = flat_numbers(encode(text) for text in texts)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.labels = labels

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, item: int) -> Batch:
        batch = self.__getitems__([item])
        return (batch[0][0], batch[1][0]) if isinstance(batch, tuple) else batch[0]

    def __getitems__(self, items: Sequence[int] | Tensor) -> Batch:
        """Return a batch of items: token ids, int64 of shape ``(B, L)``, and labels."""
        index = torch.as_tensor(items, dtype=torch.int64)
        x = self.padded(index)
        return x if self.labels is None else (x, self.labels[index])

    def padded(self, items: Sequence[int] | Tensor) -> Tensor:
        """Return the token ids of some items, int64 of shape ``(B, L)``."""
        index = torch.as_tensor(items, dtype=torch.int64)
        lengths = self.lengths[index]
        within = torch.arange(_width(lengths))
        places = (self.starts[index][:, None] + within)[within < lengths[:, None]]
        return pad_numbers(self.numbers[places], lengths)


def pad_numbers(numbers: Tensor, lengths: Tensor) -> Tensor:
    """Pad rows of given lengths with 0 on the right, to the longest.

    Args:
        numbers: Numbers of all rows, concatenated, int64.
        lengths: Length of each row, int64 of shape ``(B,)``.

    Returns:
        Tensor of shape ``(B, L)``, int64, ``L`` at least 1.

    Example:
        >>> pad_numbers(torch.tensor([5, 6, 7]), torch.tensor([1, 0, 2]))
        tensor([[5, 0],
                [0, 0],
                [6, 7]])
    """
    padded = torch.zeros(len(lengths), _width(lengths), dtype=torch.int64)
    padded[torch.arange(padded.shape[1]) < lengths[:, None]] = numbers
    return padded


def _width(lengths: Tensor) -> int:
    return max(1, int(lengths.max())) if len(lengths) else 1


def flat_numbers(rows: Iterable[list[int]]) -> tuple[Tensor, Tensor]:
    """Concatenate the numbers of all rows; return them and the row lengths, both int64."""
    numbers, lengths = array("q"), []
    for row in rows:
        numbers.extend(row)
        lengths.append(len(row))
    # torch.frombuffer refuses an empty buffer.
    flat = torch.frombuffer(numbers, dtype=torch.int64) if numbers else torch.zeros(0).long()
    return flat, torch.tensor(lengths, dtype=torch.int64)
