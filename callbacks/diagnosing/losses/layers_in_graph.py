"""Reading a network off the autograd graph of its loss: its layers and what is between them."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from .autograd_graph import (
    LAYERS,
    PASS,
    base_name,
    depends_on_data,
    loss_nodes,
    past_shapes,
    root_of,
    walk,
)

_MAX_NODES = 20_000
_SATURATING = {"Sigmoid", "Tanh"}
_NORMS = {
    "NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm", "BatchNorm", "NativeLayerNorm",
    "NativeGroupNorm", "FusedRmsNorm",
}  # fmt: skip
_PRODUCTS = {"Mm", "Addmm", "Bmm", "Baddbmm"}
# Affine functions of their input, up to the scale of each sample: a norm alone does not make a
# stack of layers non-linear.
_AFFINE = PASS | {
    "NativeLayerNorm", "NativeGroupNorm", "FusedRmsNorm",
    "Add", "Sub", "AvgPool2D", "AvgPool1D", "AdaptiveAvgPool2D", "AdaptiveAvgPool1D", "Mean", "Sum",
    "Neg", "Div", "Mul", "NativeBatchNorm", "CudnnBatchNorm", "BatchNorm", "NativeDropout",
    "ConstantPadNd", "AccumulateGrad", "Unfold", "Im2Col", "Embedding", "EmbeddingBag",
}  # fmt: skip


def weights_behind(loss: Tensor) -> set[Tensor]:
    """Find all parameters that a loss depends on, whoever owns them, and plain trained matrices.

    Other tensors count if inputs are multiplied by them. Inputs do not count, although they may
    require a gradient, too, as in physics-informed losses.
    """
    nodes = list(_nodes_behind(loss))
    variables = (getattr(node, "variable", None) for node in nodes)
    found: set[Tensor] = {v for v in variables if isinstance(v, nn.Parameter)}
    products = (node for node in nodes if base_name(node) in _PRODUCTS)
    factors = (past_shapes(_factors(product)[-1]) for product in products)
    return found | {v for f in factors if (v := getattr(f, "variable", None)) is not None}


def parameters_multiplied(loss: Tensor) -> set[nn.Parameter]:
    """Find the parameters that a loss depends on through a product with the matrix itself.

    Args:
        loss: Scalar with its graph.
    """
    products = (node for node in _nodes_behind(loss) if base_name(node) in _PRODUCTS)
    return {factor for product in products for factor in _parameters_in(product)}


def parameters_normed(loss: Tensor) -> set[nn.Parameter]:
    """Find the parameters whose product goes straight into a norm, which undoes their scale.

    Args:
        loss: Scalar with its graph.
    """
    norms = (node for node in _nodes_behind(loss) if base_name(node) in _NORMS)
    given = (past_shapes(norm.next_functions[0][0]) for norm in norms)
    layers = (node for node in given if base_name(node) in LAYERS)
    return {factor for layer in layers for factor in _parameters_in(layer)}


def _nodes_behind(loss: Tensor) -> Iterator[Any]:
    return walk(root_of(loss), most=_MAX_NODES)


def _parameters_in(product: Any) -> set[nn.Parameter]:
    """Return the factors of a product that are parameters themselves."""
    factors = (getattr(past_shapes(factor), "variable", None) for factor in _factors(product))
    return {factor for factor in factors if isinstance(factor, nn.Parameter)}


def _factors(product: Any) -> list[Any]:
    """Return the two factors of a product, without a bias before or after them."""
    parents = [parent for parent, _ in product.next_functions]
    return parents[:2] if base_name(product) in ("Linear", "Convolution") else parents[-2:]


def count_layers(loss: Tensor) -> tuple[int, bool]:
    """Count the weight layers behind a loss, and tell whether all between them is affine.

    Args:
        loss: Scalar with its graph.

    Returns:
        Number of products with a matrix or kernel, 1 if none is behind another, and whether
        everything behind the last of them is affine; False if something is unknown, such as a
        compiled region. The mean over the neighbours in a graph is a product with a constant, and
        not a layer.
    """
    stack = [(node.next_functions[0][0], False) for node, _ in loss_nodes(loss)]
    # A custom loss is searched as a whole: everything between its root and the last layer is loss.
    stack = stack or [(root_of(loss), False)]
    seen: set[Any] = set()
    layers, affine, in_series = 0, True, False
    while stack:
        node, inside = stack.pop()
        if node is None or (node, inside) in seen:
            continue
        if len(seen) > _MAX_NODES:
            return layers, False
        seen.add((node, inside))
        made = _made_of_layers(node) if base_name(node) in LAYERS else 0
        is_layer = base_name(node) in LAYERS and made < 2
        if is_layer and not (made and None in _factors(node)):
            in_series |= inside
            layers, inside = layers + 1, True
        elif inside and not (is_layer or _is_affine(node)):
            affine = False
        stack += [(parent, inside) for parent, _ in node.next_functions]
    return layers if in_series else min(layers, 1), affine and layers > 0


def _made_of_layers(product: Any) -> int:
    """Count the factors, of two, that are computed from a layer's output."""
    return sum(depends_on_data(factor) for factor in _factors(product))


def count_saturating_outputs(loss: Tensor) -> int:
    """Count sigmoids and tanhs with no layer between them and the loss: outputs, not hidden units.

    Args:
        loss: Scalar with its graph.
    """
    ends = _SATURATING | LAYERS
    nodes = walk(root_of(loss), lambda node: base_name(node) not in ends)
    return sum(base_name(node) in _SATURATING for node in nodes)


def _is_affine(node: Any) -> bool:
    name = base_name(node)
    if name in ("Mul", "Div"):
        # A product of two things that both depend on the input is a gate.
        return sum(parent is not None for parent, _ in node.next_functions) < 2
    return name in _AFFINE
