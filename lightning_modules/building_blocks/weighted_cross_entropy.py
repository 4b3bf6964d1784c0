"""Cross-entropy in which classes count by weights."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...functional.arguments import number


def checked_class_weights(weights: Sequence[float] | None, num_classes: int) -> list[float] | None:
    """The weights as numbers of Python's.

    Raises:
        ValueError: If they are not as many as there are classes, one is below 0 or not finite, or
            all are 0.
        TypeError: If one is no number.
    """
    if weights is None:
        return None
    if len(weights) != num_classes:
        raise ValueError(
            f"Expected `class_weights` of {num_classes} numbers, but got {len(weights)}."
        )
    checked = [number(f"class_weights[{i}]", float(w), least=0) for i, w in enumerate(weights)]
    if not any(checked) or math.inf in checked:
        raise ValueError(
            f"Expected `class_weights` to be finite and one of them above 0, but got {checked}."
        )
    return checked


class WeightedCrossEntropy(nn.CrossEntropyLoss):
    """Cross-entropy that is divided by the weights of its targets, indices and shares alike.

    Torch divides by the number of samples where targets are shares of classes, as after MixUp, so
    that the same labels have another loss. The weights are no part of the module's state: a
    checkpoint's do not take the place of those that are given.

    Args:
        weights: Of each class.
        label_smoothing: Share of each target that is spread over all classes.
    """

    weight: Tensor

    def __init__(self, weights: Sequence[float], label_smoothing: float = 0.0) -> None:
        super().__init__(torch.tensor(weights), label_smoothing=label_smoothing)
        self.register_buffer("weight", self.weight, persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits ``(N, classes)`` and indices ``(N,)`` or shares ``(N, classes)``."""
        loss = super().forward(outputs, targets)
        if targets.is_floating_point():
            loss = loss * (len(targets) / (targets * self.weight).sum())
        return loss
