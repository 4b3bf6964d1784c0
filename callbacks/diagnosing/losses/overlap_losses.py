"""Hand-written overlaps of a mask and its prediction, as of Dice and Jaccard."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from .autograd_graph import LAYERS, LOSS_NODES, base_name, past_shapes, root_of

_SUMS = ("Sum", "Mean")


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
    stack, seen = [root_of(loss)], 0
    while stack and seen < LOSS_NODES:
        node: Any = stack.pop(0)
        seen += 1
        parents = [parent for parent, _ in node.next_functions]
        if base_name(node) == "Div" and len(parents) == 2 and None not in parents:
            product = past_shapes(_summed(_without_numbers(parents[0])))
            sides = [] if product is None else [side for side, _ in product.next_functions]
            if base_name(product) == "Mul" and sides.count(None) == 1:
                yield next(side for side in sides if side is not None), parents[1]
        if base_name(node) not in LAYERS:
            stack += [parent for parent in parents if parent is not None]


def _without_numbers(node: Any) -> Any:
    """Return the node before multiplication by a number and addition of one."""
    while base_name(node) in ("Mul", "Add"):
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        if len(parents) != 1:
            return node
        node = parents[0]
    return node


def _summed(node: Any) -> Any:
    """Return what a node sums, over some dimensions after others; None if it does not."""
    found = None
    while base_name(node) in _SUMS:
        node = found = node.next_functions[0][0]
    return found


def _is_summed(prediction: Any, divisor: Any) -> bool:
    """Whether the sum of a prediction is a term of a divisor."""
    stack = [divisor]
    while stack:
        node = stack.pop()
        summed = _summed(node)
        if summed is not None and past_shapes(summed) is past_shapes(prediction):
            return True
        if base_name(node) in ("Add", "Sub", "Mul", "Clamp", "ClampMin"):
            stack += [parent for parent, _ in node.next_functions if parent is not None]
    return False
