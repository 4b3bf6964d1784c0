"""Pairwise losses: the score of one item should be above that of another.

For example, that of a chosen item above that of a rejected one (Bradley and Terry, 1952; Rendle et
al., 2009). Each is a binary cross-entropy of the difference with label 1, and of its negative with
label 0: predictions without information reach ln 2.
"""

from typing import Any, cast

import torch
from torch import Tensor

from .autograd_graph import (
    SMALL_CHANGES,
    LossCall,
    base_name,
    nodes_in_sums,
    past,
    past_shapes,
    scales_by_number,
    terms_are_alone,
)


def find_pairs(loss: Tensor) -> list[LossCall]:
    """Find the one pairwise loss that a loss is the mean or sum of, among other terms.

    Args:
        loss: Scalar with its graph, before ``backward``, with none of torch's losses in it.

    Returns:
        At most one loss.
    """
    found, passed = nodes_in_sums(loss, lambda node: _ahead(node) is not None)
    differences = [ahead for node in found if (ahead := _ahead(node)) is not None]
    if len(differences) != 1:
        return []
    ahead = differences[0].detach().flatten()
    return [
        LossCall(
            "bce_logits", torch.cat([ahead, -ahead]),
            torch.cat([torch.ones_like(ahead), torch.zeros_like(ahead)]), output=None,
            ascends=False, reduction=1 if "Mean" in passed else 2,
            is_alone=terms_are_alone(loss), by_hand=True,
        )
    ]  # fmt: skip


def _ahead(node: Any) -> Tensor | None:
    """Return the difference of scores that a logistic loss is of; None for other nodes."""
    before = node.next_functions[0][0] if node.next_functions else None
    match base_name(node):
        case "LogSigmoid" if _is_difference(before):
            return cast(Tensor, node._saved_self)
        case "Softplus" if _is_difference(before) and node._saved_beta == 1:
            return cast(Tensor, -node._saved_self)
        case "Log":
            chance = past(before, SMALL_CHANGES)
            if base_name(chance) == "Sigmoid" and _is_difference(chance.next_functions[0][0]):
                return torch.logit(chance._saved_result, eps=1e-6)
    return None


def _is_difference(node: Any) -> bool:
    """Whether a node is one score of the network minus another, up to sign and scale."""
    node = past_shapes(node)
    while base_name(node) == "Neg" or scales_by_number(node):
        node = past_shapes(node.next_functions[0][0])
    if base_name(node) == "Sum":  # Of products of the difference with what both share.
        product = node.next_functions[0][0]
        factors = product.next_functions if base_name(product) == "Mul" else ()
        return any(_subtracts(past_shapes(factor)) for factor, _ in factors)
    return _subtracts(node)


def _subtracts(node: Any) -> bool:
    sides = [parent for parent, _ in node.next_functions] if base_name(node) == "Sub" else []
    return len(sides) == 2 and all(base_name(side) not in ("", "AccumulateGrad") for side in sides)
