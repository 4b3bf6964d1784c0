"""Weights by which classes count in the loss."""

import math
from collections.abc import Sequence

import torch
from torch import nn

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


def weighted_cross_entropy(weights: Sequence[float], label_smoothing: float) -> nn.CrossEntropyLoss:
    """Torch's loss with weights that are no part of its state.

    A checkpoint's do not take the place of those that are given with it.
    """
    loss = nn.CrossEntropyLoss(torch.tensor(weights), label_smoothing=label_smoothing)
    loss.register_buffer("weight", loss.weight, persistent=False)
    return loss
