"""Hand-written errors: the square or absolute value of a prediction minus a target.

The square where errors are small and the absolute value elsewhere make a Huber loss.

The graph keeps the difference, but neither of the two. The prediction is found among the outputs
of layers and those that activations save, and the target follows from it and the difference.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .autograd_graph import LossCall, base_name, output_of, root_of, shape_of, signed, walk

_REDUCTIONS = ("Mean", "Sum", "Div", "Mul", "Add", "Sqrt", "Squeeze", "View", "Where")
_MEASURES = {"squared": F.mse_loss, "absolute": F.l1_loss}
_SAME_ORDER = {"View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Alias", "ToCopy"}


def find_errors(loss: Tensor, outputs: Mapping[Any, Tensor]) -> list[LossCall]:
    """Find the one squared, absolute or Huber error that a loss is the mean or sum of.

    Args:
        loss: Scalar with its graph, before ``backward``.
        outputs: Outputs of layers, by the node that made them.

    Returns:
        At most one loss.
    """
    nodes = list(walk(root_of(loss), _is_passed))
    found = [node for node in nodes if _is_error(node)]
    chooses = any(base_name(node) == "Where" for node in nodes)
    of_one = len({_difference(node) for node in found}) == 1
    if not of_one or (len(found) > 1 and not chooses):
        return []
    kind = "absolute" if base_name(found[0]) == "Abs" else "squared"
    call = _read(found[0], "huber" if chooses else kind, outputs)
    return [] if call is None else [call]


def _is_passed(node: Any) -> bool:
    """Whether the loss may still be the mean or sum of an error behind a node."""
    is_between = base_name(node) in _REDUCTIONS or _is_part_of_huber(node)
    return is_between and not _is_error(node)


def _is_part_of_huber(node: Any) -> bool:
    """Whether a node squares an absolute value, or subtracts a constant from it."""
    (first, _), *others = node.next_functions or ((None, 0),)
    if base_name(node) == "Pow":
        return base_name(first) == "Abs"
    constant = all(parent is None for parent, _ in others)
    return base_name(node) == "Sub" and base_name(first) in ("Abs", "Mul") and constant


def _is_error(node: Any) -> bool:
    parents = [parent for parent, _ in node.next_functions]
    match base_name(node):
        case "Pow":
            fits = node._saved_exponent == 2
        case "Mul":
            fits = len(parents) == 2 and parents[0] is parents[1]
        case name:
            fits = name == "Abs"
    return bool(fits) and _is_difference(parents[0])


def _difference(node: Any) -> Any:
    return node.next_functions[0][0]


def _is_difference(node: Any) -> bool:
    """Whether a node subtracts a constant tensor from the network's output, or the reverse."""
    if base_name(node) != "Sub" or len(node.next_functions) != 2 or node._saved_alpha != 1:
        return False
    return sum(parent is None for parent, _ in node.next_functions) == 1


def _read(node: Any, kind: str, outputs: Mapping[Any, Tensor]) -> LossCall | None:
    error, (left, right) = node._saved_self.detach(), _difference(node).next_functions
    source, place = left if right[0] is None else right
    prediction = _value_of(source, outputs)
    shape = shape_of(source, place)
    if prediction is None or prediction.numel() != math.prod(shape):
        return None
    prediction = prediction.reshape(shape).expand_as(error)
    target = prediction - error if right[0] is None else prediction + error
    if shape != tuple(error.shape):
        target = _before_broadcasting(target, shape)
    return LossCall(
        kind, prediction, target, output_of(source), ascends=False, reduction=2,
        is_alone=False, source=(source, place), by_hand=True, measure=_MEASURES.get(kind),
    )  # fmt: skip


def _value_of(node: Any, outputs: Mapping[Any, Tensor]) -> Tensor | None:
    """Return the output of a node, in its order if not in its shape."""
    if node is None or node in outputs:
        return outputs.get(node)
    kept = getattr(node, "_saved_result", None)
    if isinstance(kept, Tensor):
        return kept.detach()
    if base_name(node) not in {*_SAME_ORDER, "Select"}:
        return None
    ((parent, place),) = node.next_functions
    value = _value_of(parent, outputs)
    if value is None or base_name(node) in _SAME_ORDER:
        return value
    shape = shape_of(parent, place)
    if value.numel() != math.prod(shape):
        return None
    return value.reshape(shape).select(signed(node._saved_dim), signed(node._saved_index))


def _before_broadcasting(target: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Undo the repetition of a target along dimensions that only the prediction has."""
    own = target
    for place in range(1, len(shape) + 1):
        if shape[-place] > 1 and target.shape[-place] == shape[-place]:
            first = own.narrow(target.ndim - place, 0, 1)
            if torch.allclose(first.expand_as(own), own, rtol=1e-3, atol=1e-4):
                own = first
    return own.expand_as(target)
