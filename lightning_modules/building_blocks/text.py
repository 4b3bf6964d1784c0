"""Networks for token ids: a bag of n-grams, and convolutions over time."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ...functional.ngrams import hash_ngrams
from .dense import dense_network
from .initializations import WeightLayer
from .recipe import Recipe


class NgramBag(nn.Module):
    """Mean embedding of a text's n-grams of orders 1 to ``ngrams``; 0 for an empty text.

    Args:
        buckets: Rows of the embedding; row 0 is padding and stays zero.
        embedding_dim: Dimension of the embedding.
        ngrams: Highest order.

    Example:
        >>> NgramBag(100, 8, 2)(torch.tensor([[5, 6, 0], [0, 0, 0]])).shape
        torch.Size([2, 8])
    """

    def __init__(self, buckets: int, embedding_dim: int, ngrams: int) -> None:
        super().__init__()
        # EmbeddingBag never holds the embeddings of all n-grams in memory, only their mean.
        self.embedding = nn.EmbeddingBag(buckets, embedding_dim, mode="mean", padding_idx=0)
        self.ngrams = ngrams

    def forward(self, tokens: Tensor) -> Tensor:
        """Return vectors, ``(N, embedding_dim)``, for ``tokens`` of shape ``(N, L)``."""
        ids = hash_ngrams(tokens, self.ngrams, self.embedding.num_embeddings)
        # One more column of padding, because EmbeddingBag refuses texts of length 0.
        vectors: Tensor = self.embedding(pad(ids.flatten(1), (0, 1)))
        return vectors


class MaxOverTimeConvolutions(nn.Module):
    """Parallel convolutions of several kernel sizes, and the maximum over time of each.

    A window counts if it holds a token: windows extend beyond both ends of the text, as in Kim's
    code, so that a text of one token has windows of every size. Windows of padding alone do not
    count, and a text without a token gives 0.

    Args:
        buckets: Rows of the embedding; row 0 is padding and stays zero.
        embedding_dim: Dimension of the embedding.
        channels: Filters of each convolution.
        kernel_sizes: Kernel size of each convolution, in tokens.
        bias: Whether the convolutions have a bias.

    Example:
        >>> layer = MaxOverTimeConvolutions(100, 8, channels=(4, 6), kernel_sizes=(2, 3))
        >>> layer(torch.tensor([[5, 6, 0], [0, 0, 0]])).shape
        torch.Size([2, 10])

    Reference:
        Kim 2014, "Convolutional neural networks for sentence classification", equations 2 to 4.
    """

    def __init__(
        self,
        buckets: int,
        embedding_dim: int,
        *,
        channels: Sequence[int],
        kernel_sizes: Sequence[int],
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(buckets, embedding_dim, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim, width, size, bias=bias)
            for width, size in zip(channels, kernel_sizes, strict=True)
        )
        self.kernel_sizes, self.width = tuple(kernel_sizes), sum(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return maxima, ``(N, sum of channels)``, for ``tokens`` of shape ``(N, L)``."""
        ids = hash_ngrams(tokens, 1, self.embedding.num_embeddings)[:, :, 0]
        x = self.embedding(ids).transpose(1, 2)
        found = []
        for convolution, size in zip(self.convolutions, self.kernel_sizes, strict=True):
            # One position more at the end than needed, so that there is a window if L is 0.
            margins = (size - 1, size)
            counts = pad(ids != 0, margins).unfold(1, size, 1).any(-1)
            values = convolution(pad(x, margins))
            highest = values.masked_fill(~counts[:, None], -math.inf).amax(-1)
            found.append(torch.where(counts.any(1, keepdim=True), highest, 0))
        return torch.cat(found, 1)


def bag_network(
    bag: NgramBag, hidden: Sequence[int], num_classes: int, recipe: Recipe
) -> nn.Sequential:
    """Build a network for token ids, ``(N, L)``: mean of n-gram embeddings, then dense layers."""
    if recipe.init != "default":
        _initialize_embedding(bag.embedding)
    dropout = [nn.Dropout(recipe.dropout)] if recipe.dropout else []
    dense = dense_network([bag.embedding.embedding_dim, *hidden], num_classes, recipe)
    return nn.Sequential(bag, *dropout, *dense)


def convolution_network(
    maxima: MaxOverTimeConvolutions, hidden: Sequence[int], num_classes: int, recipe: Recipe
) -> nn.Sequential:
    """Build a network for token ids, ``(N, L)``: maxima over time, then dense layers.

    Normalisation and activation come after the maximum, because before it a normalisation would
    include windows of padding, and because this takes a fraction of the time.
    """
    unit = recipe.unit_after(maxima.width, dims=0)
    recipe.initialize([WeightLayer(c, None, unit.activation) for c in maxima.convolutions])
    if recipe.init != "default":
        _initialize_embedding(maxima.embedding)
    dense = dense_network([maxima.width, *hidden], num_classes, recipe, before=unit.feeds)
    return nn.Sequential(maxima, *unit.parts, *dense)


def check_text(buckets: int, channels: Sequence[int], kernel_sizes: Sequence[int]) -> None:
    """Refuse too few buckets, and convolutions without a width or a kernel size."""
    if buckets < 2:
        raise ValueError(
            f"Expected `buckets` to be at least 2, because bucket 0 is padding, but got {buckets}."
        )
    if not kernel_sizes or len(channels) != len(kernel_sizes):
        raise ValueError(
            "Expected `channels` and `kernel_sizes` to hold one number for each convolution, "
            f"but got {list(channels)} and {list(kernel_sizes)}."
        )


def _initialize_embedding(embedding: Any) -> None:
    """Initialise vectors of length about 1, whatever the dimension; zero for padding."""
    nn.init.normal_(embedding.weight, std=embedding.embedding_dim**-0.5)
    with torch.no_grad():
        embedding.weight[embedding.padding_idx].zero_()


def check_tokens(x: Tensor) -> None:
    """Refuse anything but a batch of token ids.

    Values are checked on the CPU only: elsewhere the check would synchronise the device, and any
    number is hashed to an existing bucket.
    """
    if x.dtype != torch.int64 or x.ndim != 2:
        raise ValueError(
            "Expected token ids of dtype torch.int64 and shape (N, L), 0 for padding, but got "
            f"{x.dtype} of shape {tuple(x.shape)}. Convert them with `x.long()`, and pass a single "
            "text as `x[None]`."
        )
    looks = x.device.type == "cpu" and not torch.compiler.is_compiling()
    if looks and x.numel() and x.min() < 0:
        raise ValueError(
            f"Expected token ids of at least 0, but got {int(x.min())}. Use 0 for padding, and "
            "ids from 1 on for words."
        )
