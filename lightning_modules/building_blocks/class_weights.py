"""Class weights of the loss."""

import math
from collections.abc import Mapping, Sequence, Set

import torch
from torch import nn

from ...functional.arguments import number

# The loss ignores labels of this value. They are -100 by default, which metrics would count.
_NO_LABEL = -(2**31)


def checked_class_weights(weights: Sequence[float] | None, num_classes: int) -> list[float] | None:
    """Check class weights and return them as Python floats.

    Raises:
        ValueError: If there is not one for each class, one is negative or not finite, or all are 0.
        TypeError: If one is not a number, or they are not in the order of the classes.
    """
    if weights is None:
        return None
    if isinstance(weights, (Mapping, Set, str)):
        raise TypeError(
            f"Expected `class_weights` to be a sequence of numbers, in the order of the classes, "
            f"but got {weights!r}. Data modules have one, as `class_weights`."
        )
    if len(weights) != num_classes:
        raise ValueError(
            f"Expected `class_weights` to hold {num_classes} numbers, but got {len(weights)}."
        )
    checked = [number(f"class_weights[{i}]", float(w), least=0) for i, w in enumerate(weights)]
    if not any(checked) or math.inf in checked:
        raise ValueError(f"Expected `class_weights` to be finite and not all 0, but got {checked}.")
    return checked


def cross_entropy(weights: Sequence[float] | None, label_smoothing: float) -> nn.CrossEntropyLoss:
    """Return torch's loss, which refuses every label that is not a class, even torch's own -100.

    Weights are not part of its state: those that are given when a checkpoint is loaded are
    therefore not overwritten by it.
    """
    weight = None if weights is None else torch.tensor(weights)
    loss = nn.CrossEntropyLoss(weight, label_smoothing=label_smoothing, ignore_index=_NO_LABEL)
    if weight is not None:
        loss.register_buffer("weight", loss.weight, persistent=False)
    return loss
