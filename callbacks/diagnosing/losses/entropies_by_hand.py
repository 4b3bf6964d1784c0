"""Cross-entropies that torch does not compute in one node: hand-written, or of class probabilities.

``-(target * x.log_softmax(1)).sum(1).mean()``, which is what `cross_entropy` does with targets that
have a column for each class, and ``-(target * p.log() + (1 - target) * (1 - p).log()).mean()`` of
``p = x.sigmoid()``, also with `logsigmoid`, as `multilabel_soft_margin_loss` has it. Labels may
pick their entries by index, as in ``-x.log_softmax(1)[range(len(x)), y].mean()`` or
``-x.softmax(1).gather(1, y[:, None]).log().mean()``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..inputs.batch_tensors import are_same, tensors_of
from .autograd_graph import (
    SMALL_CHANGES,
    LossCall,
    base_name,
    factor_of,
    nodes_in_sums,
    output_of,
    past,
    past_shapes,
    signed,
    single_parent,
    terms_are_alone,
)

_LOGARITHMS = ("LogSoftmax", "Log", "LogSigmoid")
_PICKS = ("Index", "Gather")
_EXPANSIONS = ("Expand",)  # As `take_along_dim` makes them.
# Dimension 0 of a matrix.
_ROWS = (0, -2)
_MAX_ERROR = 1e-4


def find_entropies(loss: Tensor) -> list[LossCall]:
    """Find the one cross-entropy that a loss is the mean or sum of, among other terms.

    Args:
        loss: Scalar with its graph, before ``backward``, with none of torch's losses in it.

    Returns:
        At most one loss.
    """
    found, passed = nodes_in_sums(loss, lambda node: _is_product(node) or _is_pick(node))
    if len(found) != 1:
        call = _of_labels(found)
    else:
        call = _of_classes(*found) if _is_product(*found) else _of_picked(*found)
    if call is None:
        return []
    of_classes = call.kind == "cross_entropy"
    is_sum = "Sum" in passed and (not of_classes or passed.isdisjoint({"Mean", "Div"}))
    # Smoothed labels add the mean of all logarithms.
    is_alone = terms_are_alone(loss) and "LogSoftmax" not in passed
    return [replace(call, reduction=2 if is_sum else 1, is_alone=is_alone)]


def are_labels(call: LossCall, batch: Any) -> bool:
    """Whether targets are labels, and neither weighted nor what a network thinks of the samples.

    Waits for the device.

    Args:
        call: Of `find_entropies`.
        batch: The batch, of any form.

    Returns:
        True for shares that add up to 1 if each label is judged by itself, if each sample has one
        class, perhaps smoothed, or if they are part of the batch; for classes that are picked only
        if they are part of it, as an action that a policy has drawn is not.
    """
    shares = call.shares
    if shares is None:
        return any(are_same(call.target, given) for given in tensors_of(batch))
    if not bool(((shares.sum(-1) - 1).abs() < _MAX_ERROR).all()):
        return False
    if call.kind != "cross_entropy":
        return True
    return _is_of_one_class(shares) or any(are_same(shares, given) for given in tensors_of(batch))


def _is_of_one_class(shares: Tensor) -> bool:
    """Whether each row has one class, and the same small share of each of the others, if any."""
    if bool(((shares == 0) | (shares == 1)).all()):
        return True
    classes = shares.shape[1]
    others = (1 - shares.amax(1)) / (classes - 1)
    return classes > 2 and bool(((others - shares.amin(1)).abs() < _MAX_ERROR).all())


def _is_product(node: Any) -> bool:
    """Whether a node multiplies logarithms by constants."""
    return base_name(node) == "Mul" and base_name(single_parent(node)) in _LOGARITHMS


def _of_classes(product: Any) -> LossCall | None:
    logarithm, shares = single_parent(product), factor_of(product)
    if base_name(logarithm) != "LogSoftmax" or not isinstance(shares, Tensor):
        return None
    scores = logarithm._saved_result.detach()
    if scores.ndim != 2 or scores.shape != shares.shape or signed(logarithm._saved_dim) in _ROWS:
        return None
    # Negative in ``(-target * x.log_softmax(1)).sum()``.
    shares, source = shares.detach().abs().float(), logarithm.next_functions[0]
    return LossCall(
        "cross_entropy", scores, shares.argmax(1), output_of(source[0]), ascends=False,
        source=source, by_hand=True, shares=shares,
    )  # fmt: skip


def _is_pick(node: Any) -> bool:
    """Whether a node picks entries of log-probabilities, or is the logarithm of picked ones."""
    pick = _past_logarithm(node)
    before = single_parent(pick) if base_name(pick) in _PICKS else None
    return base_name(past(before, _EXPANSIONS)) == ("LogSoftmax" if pick is node else "Softmax")


def _past_logarithm(node: Any) -> Any:
    before = (*SMALL_CHANGES, "Squeeze", "View")
    return past(single_parent(node), before) if base_name(node) == "Log" else node


def _of_picked(node: Any) -> LossCall | None:
    """Read an index that picks one entry of each row."""
    pick = _past_logarithm(node)
    chances = past(single_parent(pick), _EXPANSIONS)
    result = chances._saved_result.detach()
    if result.ndim != 2 or signed(chances._saved_dim) in _ROWS:
        return None
    scores = result
    if base_name(chances) == "Softmax":
        scores = result.float().clamp_min(torch.finfo(torch.float32).tiny).log()
    if base_name(pick) == "Index":
        places = pick._saved_indices
        if len(places) != 2 or not all(_is_whole_column(p, len(scores)) for p in places):
            return None
        rows, labels = (place.to(scores.device) for place in places)
        # Rows that are not picked have no label.
        target = torch.full_like(labels, -1).index_put((rows,), labels)
    else:
        labels = pick._saved_index
        if labels.shape != (len(scores), 1) or signed(pick._saved_dim) in _ROWS:
            return None
        target = labels[:, 0]
    source = chances.next_functions[0]
    return LossCall(
        "cross_entropy", scores, target, output_of(source[0]), ascends=False, source=source,
        by_hand=True,
    )  # fmt: skip


def _is_whole_column(index: Tensor | None, size: int) -> bool:
    return index is not None and index.dtype == torch.int64 and index.shape == (size,)


def _of_labels(products: Sequence[Any]) -> LossCall | None:
    """Read the products with labels and with 1 minus them, of a binary cross-entropy."""
    logarithms = [single_parent(product) for product in products]
    given = [past(logarithm.next_functions[0][0], SMALL_CHANGES) for logarithm in logarithms]
    turned = [base_name(node) in ("Rsub", "Neg") for node in given]
    if sorted(turned) != [False, True]:
        return None
    yes, no = turned.index(False), turned.index(True)
    if past(given[no].next_functions[0][0], SMALL_CHANGES) is not given[yes]:
        return None
    of_logits, node = base_name(logarithms[yes]) == "LogSigmoid", past_shapes(given[yes])
    if not (of_logits or base_name(node) == "Sigmoid"):
        return None
    prediction = logarithms[yes]._saved_self if of_logits else node._saved_result
    factors = [factor_of(products[place]) for place in (yes, no)]
    if any(not isinstance(f, Tensor) or f.shape != prediction.shape for f in factors):
        return None
    # Negative in ``-y * p.log() - (1 - y) * (1 - p).log()``.
    shares = torch.stack(factors, -1).detach().abs().float()
    return LossCall(
        "bce_logits" if of_logits else "bce", prediction.detach(), shares[..., 0],
        output_of(given[yes]), ascends=False, source=(given[yes], 0), by_hand=True, shares=shares,
    )  # fmt: skip
