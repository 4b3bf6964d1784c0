"""Hand-written overlaps of a mask and its prediction, as of Dice and Jaccard."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from .autograd_graph import LAYERS, base_name, past, past_shapes, root_of, single_parent, walk

_SUMS = ("Sum", "Mean")
_TERMS = ("Add", "Sub", "Mul", "Clamp", "ClampMin")


def is_overlap_of_logits(loss: Tensor) -> bool:
    """Whether a loss compares what a layer outputs with a mask by their overlap.

    An overlap is ``(p * mask).sum()`` over something that ``p.sum()`` is a term of. It lies between
    0 and 1 if ``p`` does; otherwise its best is without bounds, and nothing like the mask.

    Args:
        loss: Scalar with its graph, of which the overlap may be any part.

    Returns:
        True if no function is between the last layer and the overlap.

    Reference:
        Milletari et al. 2016, "V-Net: fully convolutional neural networks for volumetric medical
        image segmentation", with probabilities.
    """
    return any(
        base_name(past_shapes(prediction)) in LAYERS and _is_summed(prediction, divisor)
        for prediction, divisor in _ratios(loss)
    )


def _ratios(loss: Tensor) -> Iterator[tuple[Any, Any]]:
    """Yield what is multiplied by a mask and summed, and by what its sum is divided."""
    for node in walk(root_of(loss), lambda node: base_name(node) not in LAYERS):
        parents = [parent for parent, _ in node.next_functions]
        if base_name(node) == "Div" and len(parents) == 2 and None not in parents:
            product = past_shapes(_summed(past(parents[0], ("Mul", "Add"))))
            if base_name(product) == "Mul" and (prediction := single_parent(product)) is not None:
                yield prediction, parents[1]


def _summed(node: Any) -> Any:
    """Return what a node sums, over some dimensions after others; None if it does not."""
    before = past(node, _SUMS)
    return None if before is node else before


def _is_summed(prediction: Any, divisor: Any) -> bool:
    """Whether the sum of a prediction is a term of a divisor."""
    terms = walk(divisor, lambda node: base_name(node) in _TERMS)
    summed = (_summed(term) for term in terms)
    return any(s is not None and past_shapes(s) is past_shapes(prediction) for s in summed)
