"""Images that occur in more than one split."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...functional.contents import content_hashes, first_alike
from ..image_sets.image_source import ImageSource
from .blocks import blocks


@dataclass(frozen=True)
class Duplicates:
    """Images of a split that are equal, pixel by pixel, to one of an earlier split.

    Attributes:
        pairs: By the two splits, such as ``("train", "test")``: for each image of the second that
            also occurs in the first, the index of the first equal image there and its own index,
            int64, shape ``(P, 2)``.

    Example:
        >>> print(Duplicates({("train", "test"): torch.tensor([[3, 9]])}))
        1 image of test is also in train
    """

    pairs: Mapping[tuple[str, str], Tensor]

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Number of pairs by the two splits."""
        return {splits: len(found) for splits, found in self.pairs.items()}

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __str__(self) -> str:
        told = [
            f"{count} image{'s' * (count > 1)} of {second} {'are' if count > 1 else 'is'} also in "
            f"{first}"
            for (first, second), count in self.counts.items()
            if count
        ]
        return "; ".join(told) or "no image is in two splits"


def find_equal_images(source: ImageSource, splits: Mapping[str, Tensor]) -> Duplicates:
    """Compare the pixels of all splits.

    Images are hashed, and those of equal hash compared, so that the result is exact. Every image
    is read once for its hash; with files this takes as long as an epoch without training.

    Args:
        source: Source of the images.
        splits: Indices of each split's images; duplicates are attributed to the later split.
    """
    hashed = {
        name: torch.cat([content_hashes(images) for _, images in blocks(source, index)])
        if len(index)
        else torch.zeros(0, dtype=torch.int64)
        for name, index in splits.items()
    }
    names, pairs = list(splits), {}
    for place, second in enumerate(names):
        for first in names[:place]:
            both = torch.cat([hashed[first], hashed[second]])
            alike = first_alike(both)[len(hashed[first]) :]
            found = (alike < len(hashed[first])).nonzero()[:, 0]
            pair = torch.stack([splits[first][alike[found]], splits[second][found]], 1)
            pairs[first, second] = pair[_equal(source, pair)]
    return Duplicates(pairs)


def _equal(source: ImageSource, pairs: Tensor) -> Tensor:
    both = zip(blocks(source, pairs[:, 0]), blocks(source, pairs[:, 1]), strict=True)
    same = [(ours == theirs).flatten(1).all(1) for (_, ours), (_, theirs) in both]
    return torch.cat(same) if same else torch.zeros(0, dtype=torch.bool)
