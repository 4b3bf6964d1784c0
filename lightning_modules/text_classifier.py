"""Text classification from token ids."""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from ..functional.arguments import whole_number
from ..functional.choices import choose
from .building_blocks.choices import Options
from .building_blocks.recipe import NormPosition, Recipe, check_widths
from .building_blocks.text import (
    MaxOverTimeConvolutions,
    NgramBag,
    bag_network,
    check_text,
    check_tokens,
    convolution_network,
)
from .classifier import Classifier


class TextClassifier(Classifier):
    """Bag of n-grams, or convolutions over time, on the embeddings of hashed token ids.

    Each batch is ``(x, y)``: ``x`` holds token ids, int64, shape ``(N, L)``, with 0 for padding.
    Ids may be vocabulary indices or hashes of words, of any size, because each n-gram is hashed to
    a row of the embedding. Padding, on either side and of any length, does not change the logits.
    ``"bag"`` averages the embeddings of a text's n-grams (fastText); ``"conv"`` applies
    convolutions of several kernel sizes and takes each filter's maximum over time, followed by
    normalisation, activation and dropout. Dense layers follow in both cases.

    Args:
        num_classes: Number of classes.
        architecture: ``"bag"`` or ``"conv"``.
        buckets: Rows of the embedding, including the one for padding; the more, the fewer n-grams
            share a row.
        embedding_dim: Dimension of the embedding.
        ngrams: Longest n-gram of ``"bag"``; 1 ignores the order of words.
        hidden: Width of each hidden dense layer.
        channels: Filters of each convolution of ``"conv"``, one number for each kernel size.
        kernel_sizes: Kernel size of each convolution of ``"conv"``, in tokens.
        activation: Name, import path or class of an activation, or a module or function.
        activation_options: Arguments of the activation, such as ``{"negative_slope": 0.2}``.
        norm: ``"none"``, ``"batch"``, ``"layer"``, ``"group"`` or ``"rms"``, applied to the maxima
            and the hidden layers.
        norm_options: Arguments of the normalisation, such as ``{"momentum": 0.01}``.
        norm_position: ``"before"`` or ``"after"`` the activation.
        init: Name of a scheme for convolutions and dense layers; ``"auto"`` fits the activation,
            ``"default"`` keeps torch's own. All but ``"default"`` initialise the embedding from a
            normal distribution with variance ``1 / embedding_dim``.
        init_options: Arguments of the scheme ``"normal"`` or ``"constant"``.
        dropout: Dropout probability, 0 to below 1, for a text's vector and each hidden layer.
        **training: Further arguments of :class:`Classifier` and :class:`SupervisedModule`.

    Raises:
        ValueError: If a name is unknown or a number is out of range.

    Example:
        >>> import torch
        >>> TextClassifier(3)(torch.tensor([[5, 6, 7], [5, 0, 0]])).shape
        torch.Size([2, 3])

    Reference:
        Joulin et al. 2017, "Bag of tricks for efficient text classification"; Kim 2014,
        "Convolutional neural networks for sentence classification".
    """

    def __init__(
        self,
        num_classes: int,
        *,
        architecture: Literal["bag", "conv"] = "bag",
        buckets: int = 2**16,
        embedding_dim: int = 64,
        ngrams: int = 2,
        hidden: Sequence[int] = (),
        channels: Sequence[int] = (64, 64, 64),
        kernel_sizes: Sequence[int] = (3, 4, 5),
        activation: Any = "relu",
        activation_options: Options | None = None,
        norm: str = "none",
        norm_options: Options | None = None,
        norm_position: NormPosition = "before",
        init: str = "auto",
        init_options: Options | None = None,
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        whole_number("buckets", buckets)
        whole_number("embedding_dim", embedding_dim)
        whole_number("ngrams", ngrams)
        check_widths(hidden=hidden, channels=channels, kernel_sizes=kernel_sizes)
        check_text(buckets, channels, kernel_sizes)
        recipe = Recipe(
            activation,
            activation_options,
            norm,
            norm_options,
            norm_position,
            init,
            init_options,
            dropout,
        )
        choose("architecture", architecture, {"bag": 0, "conv": 0})
        if architecture == "bag":
            bag = NgramBag(buckets, embedding_dim, ngrams)
            network = bag_network(bag, hidden, num_classes, recipe)
        else:
            maxima = MaxOverTimeConvolutions(
                buckets,
                embedding_dim,
                channels=channels,
                kernel_sizes=kernel_sizes,
                bias=recipe.bias,
            )
            network = convolution_network(maxima, hidden, num_classes, recipe)
        super().__init__(network, num_classes, **training)
        self._init_scheme = init

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape ``(N, num_classes)``."""
        check_tokens(x)
        return super().forward(x)
