"""Pairwise losses: the score of one item should be above that of another.

For example, that of a chosen item above that of a rejected one (Bradley and Terry, 1952; Rendle et
al., 2009). Each is a binary cross-entropy of the difference with label 1, and of its negative with
label 0: predictions without information reach ln 2.
"""

from typing import Any

import torch
from torch import Tensor

from .autograd_graph import (
    LOSS_NODES,
    LossCall,
    base_name,
    factor_of,
    is_number,
    past_shapes,
    root_of,
    terms_are_alone,
)

_REDUCTIONS = ("Mean", "Sum", "Neg", "Add", "Squeeze", "View")
_SCALES = ("Mul", "Div")


def find_pairs(loss: Tensor) -> list[LossCall]:
    """Find the one pairwise loss that a loss is the mean or sum of, among other terms.

    Args:
        loss: Scalar with its graph, before ``backward``, with none of torch's losses in it.

    Returns:
        At most one loss.
    """
    found, passed = _candidates(root_of(loss))
    if len(found) != 1:
        return []
    ahead = found[0].detach().flatten()
    return [
        LossCall(
            "bce_logits", torch.cat([ahead, -ahead]),
            torch.cat([torch.ones_like(ahead), torch.zeros_like(ahead)]), output=None,
            ascends=False, reduction=1 if "Mean" in passed else 2,
            is_alone=terms_are_alone(loss), by_hand=True,
        )
    ]  # fmt: skip


def _candidates(root: Any) -> tuple[list[Tensor], set[str]]:
    """Find differences of scores, and the kinds of nodes between them and the loss."""
    level, seen, found = [root], set[Any](), []
    while level and len(seen) < LOSS_NODES:
        node = level.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        parents = [parent for parent, _ in node.next_functions]
        ahead = _ahead(node)
        if ahead is not None:
            found.append(ahead)
        elif base_name(node) in _REDUCTIONS or _is_scaled(node):
            level += parents
    return found, {base_name(node) for node in seen}


def _is_scaled(node: Any) -> bool:
    """Whether a node multiplies by one number: weights for each pair may leave pairs out."""
    return base_name(node) in _SCALES and is_number(factor_of(node))


def _ahead(node: Any) -> Tensor | None:
    """Return the difference of scores that a logistic loss is of; None for other nodes."""
    before = node.next_functions[0][0] if node.next_functions else None
    match base_name(node):
        case "LogSigmoid" if _is_difference(before):
            return _tensor(node._saved_self)
        case "Softplus" if _is_difference(before) and node._saved_beta == 1:
            given = _tensor(node._saved_self)
            return None if given is None else -given
        case "Log":
            inner: Any = before
            # A small constant is often added first.
            while base_name(inner) in ("Add", "Clamp", "ClampMin"):
                inner = inner.next_functions[0][0]
            if base_name(inner) == "Sigmoid" and _is_difference(inner.next_functions[0][0]):
                chances = _tensor(inner._saved_result)
                return None if chances is None else torch.logit(chances, eps=1e-6)
    return None


def _is_difference(node: Any) -> bool:
    """Whether a node is one score of the network minus another, up to sign and scale."""
    node = past_shapes(node)
    while base_name(node) in ("Neg", *_SCALES) and _is_scaled_or_turned(node):
        node = past_shapes(node.next_functions[0][0])
    if base_name(node) == "Sum":  # Of products of the difference with what both share.
        product = node.next_functions[0][0]
        factors = product.next_functions if base_name(product) == "Mul" else ()
        return any(_subtracts(past_shapes(factor)) for factor, _ in factors)
    return _subtracts(node)


def _subtracts(node: Any) -> bool:
    sides = [parent for parent, _ in node.next_functions] if base_name(node) == "Sub" else []
    return len(sides) == 2 and all(base_name(side) not in ("", "AccumulateGrad") for side in sides)


def _is_scaled_or_turned(node: Any) -> bool:
    return base_name(node) == "Neg" or _is_scaled(node)


def _tensor(saved: Any) -> Tensor | None:
    return saved if isinstance(saved, Tensor) else None
