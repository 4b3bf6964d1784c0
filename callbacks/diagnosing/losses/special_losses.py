"""Losses whose batches are not read: their graph tells whether they get what they expect."""

from typing import Any

from torch import Tensor

from ..inputs.batch_tensors import are_same, tensors_of
from ..vital_signs.signs import Objective
from .autograd_graph import (
    LAYERS,
    SMALL_CHANGES,
    base_name,
    factor_of,
    output_of,
    past,
    past_shapes,
    root_of,
    shape_of,
    single_parent,
    walk,
)
from .overlap_losses import is_overlap_of_logits

_REDUCTIONS = ("Mean", "Sum", "Div", "Mul", "Pow", "Squeeze")
_MIN_SHARE_OF_SEVERAL_LABELS = 0.1
_MAX_LABELS = 100
_MIN_SAMPLES = 4


def describe_special(
    loss: Tensor, batch: Any = None, inputs: Tensor | None = None
) -> Objective | None:
    """Describe a loss that is none of those whose batches are read.

    Args:
        loss: Scalar with its graph.
        batch: The batch, of any form, in which the targets may be found.
        inputs: The first layer's input, if known.

    Returns:
        As much as the rules need; None if there is nothing to report.
    """
    if (ctc := find_ctc(loss)) is not None:
        low, high = ctc[0].float().exp().sum(-1).aminmax()
        return Objective(kind="ctc", output=ctc[1], sum_range=(float(low), float(high)))
    if (output := divergence_of(loss)) is not None:
        return Objective(kind="divergence", output=output)
    if (rates := rates_for_logarithms(loss)) is not None:
        return Objective(kind="poisson", output=rates)
    if is_overlap_of_logits(loss):
        return Objective(kind="overlap", overlaps_logits=True)
    labels = hinge_targets(loss)
    if labels is not None and bool(((labels == 0) | (labels == 1)).all()):
        return Objective(kind="hinge", target_range=(0.0, 1.0))
    shares, given = targets_of_softmax(loss), list(tensors_of(batch))
    if shares is not None and not are_same(shares, inputs) and _is_multi_hot(shares):
        return Objective(kind="multi_hot", positives=float(shares.float().sum(1).mean()))
    shapes = crossed_shapes(loss)
    # Tensors that are not targets of the batch, such as samples of a distribution, may be meant to
    # be compared with all predictions.
    if shapes is not None and (not given or any(t.shape == shapes[1] for t in given)):
        return Objective(kind="by_hand", shapes=shapes)
    return None


def _is_multi_hot(shares: Tensor) -> bool:
    """Whether targets are 0 and 1, with more than one of them 1 for a good part of the samples.

    False for very many labels, of which a softmax may be meant to sample some, as in a choice
    model, and for as many labels as samples, which may mark the samples of the same kind.
    """
    samples, labels = shares.shape
    if labels > _MAX_LABELS or (samples == labels and bool((shares.diagonal() != 0).all())):
        return False
    two = bool(((shares == 0) | (shares == 1)).all())
    return two and bool((shares.sum(1) > 1).float().mean() > _MIN_SHARE_OF_SEVERAL_LABELS)


def divergence_of(loss: Tensor) -> str | None:
    """Name the function whose output `kl_div` is given in place of log-probabilities.

    Args:
        loss: Scalar with its graph: the mean or sum of one divergence.

    Returns:
        The name; None for logarithms, and if there is no divergence.
    """
    node = past(root_of(loss), ("Mean", "Sum", "Div", "Mul"))
    product = single_parent(node) if base_name(node) == "Sub" else None
    # What is subtracted is the product of targets and predictions.
    if base_name(product) != "Mul" or node.next_functions[0][0] is not None:
        return None
    name = output_of(single_parent(product))
    return name if name in ("softmax", "sigmoid") else None


def rates_for_logarithms(loss: Tensor) -> str | None:
    """Name the function whose positive output `poisson_nll_loss` is given in place of logarithms.

    Args:
        loss: Scalar with its graph: the mean or sum of ``exp(x) - target * x``.

    Returns:
        The name; None for logarithms, and if there is no such loss.
    """
    rate, product = _poisson_terms(loss)
    given = rate.next_functions[0][0] if base_name(rate) == "Exp" else None
    if given is None or given is not single_parent(product):
        return None
    name = base_name(past_shapes(given))
    return name.lower() if name in ("Softplus", "Relu", "Exp", "Sigmoid") else None


def _poisson_terms(loss: Tensor) -> tuple[Any, Any]:
    """Find the two terms of `poisson_nll_loss`: rates, and targets times logarithms of rates."""
    node = past(root_of(loss), ("Mean", "Sum", "Div", "Mul", "Add"))
    if base_name(node) != "Sub" or len(node.next_functions) != 2:
        return None, None
    rate, product = (parent for parent, _ in node.next_functions)
    logarithm = single_parent(product) if base_name(product) == "Mul" else None
    is_rate = logarithm is rate
    if base_name(logarithm) == "Log":
        # Not only the logarithm's input but also the rates may have a small constant added.
        given = past(single_parent(logarithm), SMALL_CHANGES)
        is_rate = given is past(rate, SMALL_CHANGES)
    of_logarithm = base_name(rate) == "Exp" and rate.next_functions[0][0] is logarithm
    fits = logarithm is not None and (of_logarithm or is_rate)
    return (rate, product) if fits else (None, None)


def find_ctc(loss: Tensor) -> tuple[Tensor, str | None] | None:
    """Find the input of a connectionist temporal classification, and the function that made it.

    Args:
        loss: Scalar with its graph.

    Returns:
        The first frame of each sample, which is never padding, shape ``(batch, classes)``, and the
        function's name; None if there is no such loss.
    """
    for node in walk(root_of(loss)):
        if base_name(node) == "CtcLoss":  # That of cuDNN saves no input.
            given = node._saved_log_probs.detach()
            return given if given.ndim < 3 else given[0], output_of(node.next_functions[0][0])
    return None


def hinge_targets(loss: Tensor) -> Tensor | None:
    """Find the labels of a hand-written hinge loss, which should be 1 and -1.

    Args:
        loss: Scalar with its graph: the mean or sum of ``(1 - target * x).clamp(min=0)``, or of its
            square.

    Returns:
        The targets; None if there is no such loss.
    """
    node = past(root_of(loss), _REDUCTIONS)
    if base_name(node) not in ("Clamp", "ClampMin", "Relu"):
        return None
    margin = past_shapes(single_parent(node))
    first = margin.next_functions[0][0] if base_name(margin) == "Sub" else None
    if base_name(margin) not in ("Rsub", "Sub") or first is not None:
        return None
    product = past_shapes(single_parent(margin))
    if base_name(product) != "Mul" or len(product.next_functions) != 2:
        return None
    score = single_parent(product)
    if base_name(past_shapes(score)) not in LAYERS:
        return None
    side = "self" if product.next_functions[0][0] is None else "other"
    target = getattr(product, f"_saved_{side}", None)
    return target.detach() if isinstance(target, Tensor) and target.numel() > 1 else None


def targets_of_softmax(loss: Tensor) -> Tensor | None:
    """Find the targets of a `cross_entropy` that are given as class probabilities.

    Args:
        loss: Scalar with its graph: ``-(target * log_softmax(x)).sum() / samples``, as torch
            computes it. Hand-written ones, as for bags of words, mean something else.

    Returns:
        The targets, shape ``(samples, classes)``; None if there is no such loss.
    """
    node: Any = root_of(loss)
    while base_name(node) in ("Mul", "Div") and base_name(single_parent(node)) in ("Mul", "Div"):
        node = single_parent(node)
    for name in ("Div", "Neg", "Sum"):
        if base_name(node) != name or single_parent(node) is None:
            return None
        node = single_parent(node)
    if base_name(node) != "Mul" or base_name(single_parent(node)) != "LogSoftmax":
        return None
    target = factor_of(node)
    if not isinstance(target, Tensor) or target.ndim != 2 or target.shape[1] < 2:
        return None
    return target.detach()


def crossed_shapes(loss: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Find a difference of predictions ``(n, 1)`` and targets ``(n,)``, or the reverse.

    Or a `poisson_nll_loss` of such. It does not matter what a hand-written loss then computes from
    the ``(n, n)`` differences. All that is known of the targets is that they have no graph.

    Args:
        loss: Scalar with its graph.

    Returns:
        Shapes of predictions and targets; None if there is no such difference after the last layer.
    """
    for node in walk(root_of(loss), lambda node: base_name(node) not in LAYERS):
        sides = node.next_functions
        if base_name(node) == "Sub" and [side for side, _ in sides].count(None) == 1:
            source, place = next(side for side in sides if side[0] is not None)
            shapes = _crossed(shape_of(source, place), shape_of(node))
            if shapes is not None and not _adds_a_dimension(source):
                return shapes
    rate, product = _poisson_terms(loss)
    return _crossed(shape_of(rate), shape_of(product))


def _adds_a_dimension(node: Any) -> bool:
    """Whether a node is meant to compare all with all, as ``x[:, None]`` is."""
    if base_name(node) not in ("Unsqueeze", "View", "ReshapeAlias"):
        return False
    before, place = node.next_functions[0]
    return len(shape_of(node)) > len(shape_of(before, place))


def _crossed(
    own: tuple[int, ...], joined: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    n = joined[0] if joined else 0
    if joined != (n, n) or n < _MIN_SAMPLES or own not in ((n, 1), (n,)):
        return None
    return (own, (n,)) if own == (n, 1) else (own, (n, 1))
