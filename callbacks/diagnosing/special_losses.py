"""Losses of which no batch is read: a look at their graph tells whether they get what they want."""

from typing import Any

from torch import Tensor

from .autograd_graph import LAYERS, LOSS_NODES, base_name, output_of, past_shapes

_REDUCTIONS = ("Mean", "Sum", "Div", "Mul", "Pow", "Squeeze")


def divergence_of(loss: Tensor) -> str | None:
    """The function whose output `kl_div` is given in place of logarithms of probabilities.

    Args:
        loss: Scalar with its graph: the mean or sum of one divergence.

    Returns:
        Its name; None for logarithms, and where there is no divergence.
    """
    node: Any = loss.grad_fn
    while base_name(node) in ("Mean", "Sum", "Div", "Mul") and _single_parent(node) is not None:
        node = _single_parent(node)
    product = _single_parent(node) if base_name(node) == "Sub" else None
    # What is subtracted is the targets times their prediction.
    if base_name(product) != "Mul" or node.next_functions[0][0] is not None:
        return None
    name = output_of(_single_parent(product))
    return name if name in ("softmax", "sigmoid") else None


def rates_for_logarithms(loss: Tensor) -> str | None:
    """The function whose positive output `poisson_nll_loss` is given in place of logarithms.

    Args:
        loss: Scalar with its graph: the mean or sum of ``exp(x) - target * x``.

    Returns:
        Its name; None for logarithms, and where there is no such loss.
    """
    node: Any = loss.grad_fn
    while base_name(node) in ("Mean", "Sum", "Div", "Mul", "Add") and _single_parent(node):
        node = _single_parent(node)
    if base_name(node) != "Sub" or len(node.next_functions) != 2:
        return None
    exponential, product = (parent for parent, _ in node.next_functions)
    if base_name(exponential) != "Exp" or base_name(product) != "Mul":
        return None
    given = exponential.next_functions[0][0]
    if given not in [parent for parent, _ in product.next_functions]:
        return None
    name = base_name(past_shapes(given))
    return name.lower() if name in ("Softplus", "Relu", "Exp", "Sigmoid") else None


def find_ctc(loss: Tensor) -> tuple[Tensor, str | None] | None:
    """What a connectionist temporal classification is given, and the function it comes from.

    Args:
        loss: Scalar with its graph.

    Returns:
        The first frame of each sample, shape ``(batch, classes)``, which is no padding, and the
        name; None where there is none.
    """
    stack, seen = [loss.grad_fn], 0
    while stack and seen < LOSS_NODES:
        node: Any = stack.pop(0)
        seen += 1
        given = getattr(node, "_saved_log_probs", None)
        if base_name(node) in ("CtcLoss", "CudnnCtcLoss") and isinstance(given, Tensor):
            first = given.detach() if given.ndim < 3 else given.detach()[0]
            return first, output_of(node.next_functions[0][0])
        stack += [parent for parent, _ in getattr(node, "next_functions", ()) if parent is not None]
    return None


def hinge_targets(loss: Tensor) -> Tensor | None:
    """What a hinge loss written by hand takes for labels, which are to be 1 and -1.

    Args:
        loss: Scalar with its graph: the mean or sum of ``(1 - target * x).clamp(min=0)``, or of its
            square.

    Returns:
        The targets; None where there is no such loss.
    """
    node: Any = loss.grad_fn
    while base_name(node) in _REDUCTIONS and _single_parent(node):
        node = _single_parent(node)
    if base_name(node) not in ("Clamp", "ClampMin", "Relu"):
        return None
    margin = past_shapes(_single_parent(node))
    first = margin.next_functions[0][0] if base_name(margin) == "Sub" else None
    if base_name(margin) not in ("Rsub", "Sub") or first is not None:
        return None
    product = past_shapes(_single_parent(margin))
    if base_name(product) != "Mul" or len(product.next_functions) != 2:
        return None
    score = _single_parent(product)
    if base_name(past_shapes(score)) not in LAYERS:
        return None
    side = "self" if product.next_functions[0][0] is None else "other"
    target = getattr(product, f"_saved_{side}", None)
    return target.detach() if isinstance(target, Tensor) and target.numel() > 1 else None


def _single_parent(node: Any) -> Any:
    """What a node is made of where that is one thing and constants; None where it is several."""
    parents = [parent for parent, _ in node.next_functions if parent is not None]
    return parents[0] if len(parents) == 1 else None
