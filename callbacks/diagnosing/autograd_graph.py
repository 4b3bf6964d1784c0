"""What the autograd graph of a loss says about it: which loss, of what output, of what network."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

# The graph is as deep as the network; these are enough to leave the loss behind.
LOSS_NODES = 64
_MAX_NODES = 20_000
_LOSSES = {
    "NllLoss": "nll",
    "NllLossNd": "nll",
    "NllLoss2D": "nll",
    "BinaryCrossEntropy": "bce",
    "BinaryCrossEntropyWithLogits": "bce_logits",
    "MseLoss": "squared",
    "SmoothL1Loss": "huber",
    "HuberLoss": "huber",
}
# What changes shape, type or place, and nothing of the values.
_PASS = {
    "View", "UnsafeView", "Reshape", "ReshapeAlias", "Squeeze", "Unsqueeze", "Select", "Slice",
    "Permute", "Transpose", "T", "ToCopy", "Alias", "Clone", "Expand", "AsStrided", "Split", "Cat",
    "Index", "Gather", "IndexSelect", "Unbind", "Stack", "Flip",
}  # fmt: skip
_OUTPUTS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "LogSigmoid": "log_sigmoid",
    "Relu": "relu",
    "LeakyRelu": "leaky_relu",
    "Tanh": "tanh",
    "Elu": "elu",
    "Gelu": "gelu",
    "Hardtanh": "hardtanh",
    "Softplus": "softplus",
    "Exp": "exp",
}
_SUMS = {
    "Mean", "Sum", "Add", "Sub", "Neg", "View", "UnsafeView", "Reshape", "ReshapeAlias", "Squeeze",
    "Unsqueeze", "Permute", "Transpose", "T", "ToCopy", "Alias", "Clone",
}  # fmt: skip
_SATURATING = {"Sigmoid", "Tanh"}
_PRODUCTS = {"Mm", "Addmm", "Bmm", "Baddbmm"}
LAYERS = {"Addmm", "Mm", "Linear", "Convolution", "Addmv", "Mv"}
# No more than affine functions of their input, up to the scale of each sample: a norm alone makes
# no network of layers.
_AFFINE = _PASS | {
    "NativeLayerNorm", "NativeGroupNorm", "FusedRmsNorm",
    "Add", "Sub", "AvgPool2D", "AvgPool1D", "AdaptiveAvgPool2D", "AdaptiveAvgPool1D", "Mean", "Sum",
    "Neg", "Div", "Mul", "NativeBatchNorm", "CudnnBatchNorm", "BatchNorm", "NativeDropout",
    "ConstantPadNd", "AccumulateGrad", "Unfold", "Im2Col", "Embedding", "EmbeddingBag",
}  # fmt: skip


@dataclass(frozen=True)
class LossCall:
    """A loss, found in the graph behind the tensor that is differentiated.

    Attributes:
        kind: ``"cross_entropy"``, ``"nll"`` (of what is no log-softmax), ``"bce"``,
            ``"bce_logits"``, ``"squared"``, ``"huber"`` or ``"absolute"``.
        prediction: What went into it: log-probabilities for a cross-entropy.
        target: Its targets.
        output: The function right before: ``"softmax"``, ``"relu"``, ...; None for a layer.
        ascends: Whether the loss is maximised.
        weight: Weights of the classes or of positive targets.
        reduction: 0 for none, 1 for the mean, 2 for the sum.
        is_alone: Whether nothing else that depends on the data is added to it: penalties of the
            weights may be.
        ignored: Class of what does not count; None where there is none.
        source: Node of the graph that it starts from, and which of that one's outputs.
        by_hand: Whether it is no function of torch's.
        weighed: Whether the step weighs or leaves out the losses of entries before it adds them up.
        measure: A regression's mean loss of predictions and targets; None where it is not known.
    """

    kind: str
    prediction: Tensor
    target: Tensor
    output: str | None
    ascends: bool
    weight: Tensor | None = None
    reduction: int = 1
    is_alone: bool = True
    ignored: int | None = None
    source: tuple[Any, int] = (None, 0)
    by_hand: bool = False
    weighed: bool = False
    measure: Callable[[Tensor, Tensor], Tensor] | None = None


def has_graph(loss: Any) -> bool:
    """Whether it is a scalar that can be differentiated."""
    return isinstance(loss, Tensor) and loss.grad_fn is not None and loss.numel() == 1


def find_loss_calls(loss: Tensor, *, signs: bool = True) -> list[LossCall]:
    """Losses that the given one is made of; none where no known one is seen.

    Args:
        loss: Scalar with its graph, before ``backward``.
        signs: Whether to see which are maximised; reads factors, and so may wait for the device.

    Returns:
        The calls, nearest first.
    """
    calls = []
    alone = terms_are_alone(loss)
    for node, ascends in _loss_nodes(loss, signs=signs):
        kind, source = _LOSSES[base_name(node)], node.next_functions[0]
        if kind == "nll" and _is_over_classes(source[0], inner := past_shapes(source[0])):
            kind, source = "cross_entropy", inner.next_functions[0]
        prediction, target = node._saved_self.detach(), node._saved_target.detach()
        # That of a binary cross-entropy is by sample, and of its positives by class.
        weight = getattr(node, f"_saved_{'pos_weight' if kind == 'bce_logits' else 'weight'}", None)
        reduction = node._saved_reduction
        calls.append(
            LossCall(
                kind, prediction, target, output_of(source[0]), ascends, weight, reduction, alone,
                _ignored_by(node), source, weighed=reduction == 0 and not _adds_up(loss, node),
                measure=_measure_of(node),
            )
        )  # fmt: skip
    return calls


def _is_over_classes(before: Any, node: Any) -> bool:
    """Whether it is a log-softmax over what a loss takes for the classes: the second dimension.

    Args:
        before: Node of what goes into the loss.
        node: The one before changes of shape, of which a loss itself only adds dimensions of 1.
    """
    if base_name(node) != "LogSoftmax":
        return False
    shape, given = _shape_of(node), _shape_of(before)
    if [size for size in shape if size != 1] != [size for size in given if size != 1]:
        return False
    # Read as an unsigned number.
    dim: int = node._saved_dim
    return (dim - 2**64 + len(shape) if dim >= 2**63 else dim) == min(1, len(shape) - 1)


def _shape_of(node: Any) -> tuple[int, ...]:
    """Of a node's output, without a look at what it has saved."""
    return tuple(node._input_metadata[0].shape)


def _measure_of(node: Any) -> Callable[[Tensor, Tensor], Tensor] | None:
    match base_name(node):
        case "MseLoss":
            return F.mse_loss
        case "SmoothL1Loss":
            return partial(F.smooth_l1_loss, beta=node._saved_beta)
        case "HuberLoss":
            return partial(F.huber_loss, delta=node._saved_delta)
    return None


def _adds_up(loss: Tensor, entries: Any) -> bool:
    """Whether a loss is the sum or mean of these entries and of what else there is."""
    stack, seen = [loss.grad_fn], 0
    while stack and seen < LOSS_NODES:
        node, seen = stack.pop(), seen + 1
        if node is entries:
            return True
        parents = [] if node is None else [p for p, _ in node.next_functions if p is not None]
        scales = base_name(node) in ("Mul", "Div") and len(parents) == 1 and _is_number(node)
        if scales or base_name(node) in _SUMS:
            stack += parents
    return False


def _is_number(node: Any) -> bool:
    other = getattr(node, "_saved_other", None)
    return not isinstance(other, Tensor) or other.numel() == 1


def _ignored_by(node: Any) -> int | None:
    # Read as an unsigned number.
    place = getattr(node, "_saved_ignore_index", None)
    return place - 2**64 if place is not None and place >= 2**63 else place


def terms_are_alone(loss: Tensor) -> bool:
    """Whether all terms beside a known loss depend on the weights alone.

    Args:
        loss: Scalar with its graph.
    """
    terms: list[Any] = []
    level: list[Any] = [loss.grad_fn]
    while level and len(terms) < LOSS_NODES:
        node = level.pop()
        parents = [] if node is None else [p for p, _ in node.next_functions if p is not None]
        # The Trainer divides by the number of batches that it accumulates.
        is_scaled = base_name(node) in ("Mul", "Div", "Neg") and len(parents) == 1
        if base_name(node) in ("Add", "Sub") or is_scaled:
            level += parents
        elif node is not None:
            terms.append(node)
    return sum(_depends_on_data(term) for term in terms) <= 1


def _depends_on_data(node: Any) -> bool:
    stack, seen = [node], set[Any]()
    while stack and len(seen) < LOSS_NODES:
        current = stack.pop()
        if current is None or current in seen:
            continue
        if base_name(current) in _LOSSES or base_name(current) in LAYERS:
            return True
        seen.add(current)
        stack += [parent for parent, _ in current.next_functions]
    return bool(stack)  # What is too large to look through is no plain penalty.


def parameters_behind(loss: Tensor) -> list[nn.Parameter]:
    """All parameters that a loss depends on, whoever has them."""
    stack, seen, found = [loss.grad_fn], set[Any](), []
    while stack and len(seen) < _MAX_NODES:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, nn.Parameter):
            found.append(variable)
        stack += [parent for parent, _ in node.next_functions]
    return found


def parameters_multiplied(loss: Tensor) -> set[nn.Parameter]:
    """Those that a loss depends on through a product with the matrix itself.

    Args:
        loss: Scalar with its graph.
    """
    stack, seen, found = [loss.grad_fn], set[Any](), set[nn.Parameter]()
    while stack and len(seen) < _MAX_NODES:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        parents = [parent for parent, _ in node.next_functions]
        if base_name(node) in _PRODUCTS:
            # The last two: what is added comes first.
            sources = (getattr(past_shapes(parent), "variable", None) for parent in parents[-2:])
            found |= {source for source in sources if isinstance(source, nn.Parameter)}
        stack += parents
    return found


def count_layers(loss: Tensor) -> tuple[int, bool]:
    """Weight layers behind a known loss, and whether nothing between them bends.

    Args:
        loss: Scalar with its graph.

    Returns:
        Number of products with a matrix or kernel, 1 where none is behind another, and whether
        all behind the last of them is affine; False where something is unknown, as a compiled
        region is.
    """
    stack = [(node.next_functions[0][0], False) for node, _ in _loss_nodes(loss)]
    seen: set[Any] = set()
    layers, affine, in_series = 0, bool(stack), False
    while stack:
        node, inside = stack.pop()
        if node is None or (node, inside) in seen:
            continue
        if len(seen) > _MAX_NODES:
            return layers, False
        seen.add((node, inside))
        if base_name(node) in LAYERS:
            in_series |= inside
            layers, inside = layers + 1, True
        elif inside and not _is_affine(node):
            affine = False
        stack += [(parent, inside) for parent, _ in node.next_functions]
    return layers if in_series else min(layers, 1), affine


def count_saturating_outputs(loss: Tensor) -> int:
    """Sigmoids and tanhs that no layer comes after on the way to the loss: outputs, not units.

    Args:
        loss: Scalar with its graph.
    """
    stack, seen, found = [loss.grad_fn], set[Any](), 0
    while stack and len(seen) < LOSS_NODES:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if base_name(node) in _SATURATING:
            found += 1
        elif base_name(node) not in LAYERS:
            stack += [parent for parent, _ in node.next_functions]
    return found


def _is_affine(node: Any) -> bool:
    name = base_name(node)
    if name in ("Mul", "Div"):
        # A product of two things that both depend on the input is a gate.
        return sum(parent is not None for parent, _ in node.next_functions) < 2
    return name in _AFFINE


def base_name(node: Any) -> str:
    """Name of an operation: ``"Addmm"`` for ``AddmmBackward0``."""
    return "" if node is None else _plain(node.name())


@lru_cache(maxsize=1_000)
def _plain(name: str) -> str:
    return re.sub(r"Backward\d*$|^torch::autograd::", "", name)


def _loss_nodes(loss: Tensor, *, signs: bool = False) -> Iterator[tuple[Any, bool]]:
    """Nodes of known losses, breadth first, and whether their sign was turned, if asked for."""
    level, seen = [(loss.grad_fn, False)], 0
    while level and seen < LOSS_NODES:
        following = []
        for node, turned in level:
            if node is None:
                continue
            seen += 1
            if base_name(node) in _LOSSES:
                yield node, turned
            else:
                turned = signs and turned != _turns_sign(node)
                subtracts = signs and base_name(node) == "Sub"
                for place, (parent, _) in enumerate(node.next_functions):
                    following.append((parent, turned != (subtracts and place == 1)))
        level = following


def _turns_sign(node: Any) -> bool:
    other = getattr(node, "_saved_other", None) if base_name(node) in ("Mul", "Div") else None
    if isinstance(other, Tensor):
        return other.numel() == 1 and bool(other < 0)
    return base_name(node) in ("Neg", "Rsub") or (isinstance(other, (int, float)) and other < 0)


def own_shape(tensor: Tensor) -> tuple[int, ...]:
    """Shape before broadcasting: what was expanded has a stride of 0."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return tuple(1 if stride == 0 else size for size, stride in sizes)


def output_of(node: Any) -> str | None:
    """The function that a tensor is the output of, past changes of shape; None for a layer."""
    return _OUTPUTS.get(base_name(past_shapes(node)))


def past_shapes(node: Any) -> Any:
    """The node before changes of shape, type and place."""
    while base_name(node) in _PASS and node.next_functions:
        node = node.next_functions[0][0]
    return node
