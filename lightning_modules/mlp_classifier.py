"""Multi-layer perceptron for classification."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from ..functional.choices import choose
from .building_blocks import DENSE_NORMS, initialize, make_activation
from .classifier import Classifier


class MLPClassifier(Classifier):
    """Dense layers with one activation, normalisation and initialisation throughout.

    Each hidden layer is linear, normalisation, activation, dropout. Inputs of more dimensions
    are flattened.

    Args:
        in_features: Numbers in one sample.
        num_classes: Number of classes.
        hidden: Width of each hidden layer.
        activation: Name or class of ``torch.nn``.
        norm: ``"none"``, ``"batch"`` or ``"layer"``.
        init: ``"auto"`` fits the activation; ``"default"`` leaves torch's own; or a scheme.
        dropout: Probability, 0 to below 1.
        optimizer: Name or class of ``torch.optim``.
        lr: Learning rate.

    Raises:
        ValueError: If a name is unknown, a width below 1 or ``dropout`` outside [0, 1).

    Example:
        >>> import torch
        >>> MLPClassifier(64, 10, hidden=(32,), norm="batch")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: str | type[nn.Module] = "relu",
        norm: str = "none",
        init: str = "auto",
        dropout: float = 0.0,
        optimizer: str | type[Optimizer] = "adam",
        lr: float = 1e-3,
    ) -> None:
        widths = [in_features, *hidden]
        if min(widths) < 1:
            raise ValueError(f"Expected `in_features` and `hidden` at least 1, but got {widths}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"Expected `dropout` from 0 to below 1, but got {dropout}.")
        make_norm = choose("norm", norm, DENSE_NORMS)
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in itertools.pairwise(widths):
            layers.append(nn.Linear(inputs, outputs, bias=make_norm is None))
            if make_norm is not None:
                layers.append(make_norm(outputs))
            layers.append(make_activation(activation))
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(widths[-1], num_classes))
        linear = (layer for layer in layers if isinstance(layer, nn.Linear))
        initialize(linear, init, make_activation(activation))
        super().__init__(nn.Sequential(*layers), num_classes, optimizer=optimizer, lr=lr)
        self.in_features = in_features

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape ``(N, num_classes)``."""
        if x[:1].numel() != self.in_features and len(x):
            raise ValueError(
                f"Expected samples of `in_features={self.in_features}` numbers, but got "
                f"{x[:1].numel()} (batch of shape {tuple(x.shape)})."
            )
        return super().forward(x)
