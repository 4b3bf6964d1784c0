"""Reading a loss off its autograd graph: which loss it is, and of what output."""

import math
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor

# The graph is as deep as the network; this many nodes are enough to get past the loss.
LOSS_NODES = 64
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
# Operations that keep every entry: mixed precision converts a prediction for each loss.
_KEEPS_ALL = {
    "View", "UnsafeView", "Reshape", "ReshapeAlias", "Squeeze", "Unsqueeze", "Permute",
    "Transpose", "T", "ToCopy", "Alias",
    "BackwardHookFunction",  # A module's backward hook.
}  # fmt: skip
# Those that may drop or repeat some, but change no values.
PASS = _KEEPS_ALL | {
    "Select", "Slice", "Clone", "Expand", "AsStrided", "Split", "Cat", "Index", "Gather",
    "IndexSelect", "Unbind", "Stack", "Flip",
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
_SUMS = _KEEPS_ALL | {"Mean", "Sum", "Add", "Sub", "Neg", "Clone"}
# A small constant is often added to chances before their logarithm, or they are bounded.
SMALL_CHANGES = ("Add", "Clamp", "ClampMin", "ClampMax")
# Products with a matrix or a kernel.
LAYERS = {"Addmm", "Mm", "Linear", "Convolution", "Addmv", "Mv"}
_OF_DATA = LAYERS | _LOSSES.keys()


@dataclass(frozen=True)
class LossCall:
    """A loss that was found in the graph behind the tensor that is differentiated.

    Attributes:
        kind: ``"cross_entropy"``, ``"nll"`` (without a log-softmax over the classes), ``"bce"``,
            ``"bce_logits"``, ``"squared"``, ``"huber"`` or ``"absolute"``.
        prediction: Its input: log-probabilities for a cross-entropy.
        target: Its targets.
        output: The function right before it: ``"softmax"``, ``"relu"``, ...; None for a layer.
        ascends: Whether the loss is maximised.
        weight: Weights of the classes or of positive targets.
        reduction: 0 for none, 1 for the mean, 2 for the sum.
        is_alone: Whether no other term that depends on the data is added to it; penalties on the
            weights may be.
        ignored: Class that does not count; None if there is none.
        source: Graph node that its input comes from, before changes of shape and precision, and
            which of that node's outputs it is.
        by_hand: Whether it is hand-written and not a function of torch.
        weighed: Whether the step weights or drops the losses of entries before it adds them up.
        measure: Function that gives a regression's mean loss of predictions and targets; None if
            unknown.
        shares: Targets as shares of the classes, shape ``(samples, classes)``, of which ``target``
            has the largest, or shares of yes and no for each label, shape ``(..., 2)``; None if
            ``target`` has all there is to know.
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
    shares: Tensor | None = None


def has_graph(loss: Any) -> bool:
    """Whether a loss is a scalar that can be differentiated."""
    return isinstance(loss, Tensor) and loss.grad_fn is not None and loss.numel() == 1


def root_of(loss: Tensor) -> Any:
    """Return the node of a loss as the training step made it.

    If DDP looks for unused parameters, it adds a node of its own to everything that the step
    returns. The Trainer then adds the division by the number of batches that it accumulates, or the
    multiplication by the scale of mixed precision.
    """
    node: Any = loss.grad_fn
    number = loss.output_nr
    while base_name(node) in ("Mul", "Div"):
        parents = [parent for parent in node.next_functions if parent[0] is not None]
        if len(parents) != 1:
            break
        ((node, number),) = parents
    is_ddp = base_name(node) == "_DDPSink"
    return node.next_functions[number][0] if is_ddp else loss.grad_fn


def find_loss_calls(loss: Tensor, *, signs: bool = True) -> list[LossCall]:
    """Find the known losses that a loss is made of.

    Args:
        loss: Scalar with its graph, before ``backward``.
        signs: Whether to find which are maximised; reads factors, and so may wait for the device.

    Returns:
        The losses, nearest first; empty if none is known.
    """
    calls = []
    is_alone = terms_are_alone(loss)
    for node, ascends in loss_nodes(loss, signs=signs):
        kind, source = _LOSSES[base_name(node)], node.next_functions[0]
        if kind == "nll" and _is_over_classes(source[0], inner := past_shapes(source[0])):
            kind, source = "cross_entropy", inner.next_functions[0]
        # In a binary cross-entropy, `weight` is by sample and `pos_weight` by class.
        weight = "pos_weight" if kind == "bce_logits" else "weight"
        call = LossCall(
            kind,
            prediction=node._saved_self.detach(),
            target=node._saved_target.detach(),
            output=output_of(source[0]),
            ascends=ascends,
            weight=getattr(node, f"_saved_{weight}", None),
            reduction=node._saved_reduction,
            is_alone=is_alone,
            ignored=_ignored_by(node),
            source=_origin(source),
            weighed=node._saved_reduction == 0 and not _adds_up(loss, node),
            measure=_measure_of(node),
        )
        calls.append(call)
    return calls


def _origin(source: tuple[Any, int]) -> tuple[Any, int]:
    """Return the node, and its output, before operations that keep all entries."""
    while base_name(source[0]) in _KEEPS_ALL and source[0].next_functions:
        source = source[0].next_functions[0]
    return source


def _is_over_classes(before: Any, node: Any) -> bool:
    """Whether a node is a log-softmax over the loss's class dimension, which is the second.

    Args:
        before: Node of the loss's input.
        node: The node before changes of shape; a loss itself only adds dimensions of size 1, and
            joins those after the classes, as of volumes.
    """
    if base_name(node) != "LogSoftmax":
        return False
    shape = shape_of(node)
    if _classes_and_places(shape) != _classes_and_places(shape_of(before)):
        return False
    return signed(node._saved_dim) % max(1, len(shape)) == min(1, len(shape) - 1)


def _classes_and_places(shape: tuple[int, ...]) -> list[int]:
    """Return the sizes of samples, classes and places, without those of 1."""
    return [size for size in (*shape[:2], math.prod(shape[2:])) if size != 1]


def shape_of(node: Any, place: int = 0) -> tuple[int, ...]:
    """Return the shape of one of a node's outputs, without reading its saved tensors.

    Empty if unknown, as for a constant.
    """
    metadata = getattr(node, "_input_metadata", ())
    return tuple(metadata[place].shape) if place < len(metadata) else ()


def signed(place: int) -> int:
    """Restore a place counted from the end, which the graph keeps as an unsigned number."""
    return place - 2**64 if place >= 2**63 else place


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
    """Whether a loss is the plain sum or mean of these entries, maybe with other terms."""
    return bool(nodes_in_sums(loss, lambda node: node is entries)[0])


def factor_of(node: Any) -> Any:
    """Return what a node multiplies or divides by, on either side; None if it is not saved.

    This is the factor that depends on no weight, a number or a tensor, or else the second one.
    """
    behind, front = (getattr(node, name, None) for name in ("_saved_other", "_saved_self"))
    plain = (f for f in (behind, front) if isinstance(f, Tensor) and not f.requires_grad)
    return next(plain, front if behind is None else behind)


def is_number(factor: Any) -> bool:
    """Whether a factor is a single number."""
    return not isinstance(factor, Tensor) or factor.numel() == 1


def _ignored_by(node: Any) -> int | None:
    place = getattr(node, "_saved_ignore_index", None)
    return None if place is None else signed(place)


def terms_are_alone(loss: Tensor) -> bool:
    """Whether all terms of a loss but one depend on the weights alone.

    Args:
        loss: Scalar with its graph.
    """
    nodes = walk(root_of(loss), _joins_terms)
    return sum(depends_on_data(node) for node in nodes if not _joins_terms(node)) <= 1


def _joins_terms(node: Any) -> bool:
    """Whether a node adds terms or scales one, as the Trainer does where it accumulates batches."""
    scales = base_name(node) in ("Mul", "Div", "Neg") and single_parent(node) is not None
    return scales or base_name(node) in ("Add", "Sub")


def depends_on_data(node: Any) -> bool:
    """Whether a layer or a loss is behind a node; also for a graph too large to be searched."""
    for count, current in enumerate(walk(node), start=1):
        if base_name(current) in _OF_DATA or count == LOSS_NODES:
            return True
    return False


def walk(
    node: Any, is_passed: Callable[[Any], bool] | None = None, most: int = LOSS_NODES
) -> Iterator[Any]:
    """Yield a node of the graph and those behind it, nearest first, each of them once.

    Args:
        node: Where to begin; None, as for a constant, yields nothing.
        is_passed: Whether to go on behind a node; None goes on behind all.
        most: Number of nodes after which to stop.
    """
    queue, seen = deque([node]), {None}
    while queue and len(seen) <= most:
        current = queue.popleft()
        if current not in seen:
            seen.add(current)
            yield current
            if is_passed is None or is_passed(current):
                queue.extend(parent for parent, _ in current.next_functions)


def base_name(node: Any) -> str:
    """Return the name of an operation: ``"Addmm"`` for ``AddmmBackward0``."""
    return "" if node is None else _plain(node.name())


@lru_cache(maxsize=1_000)
def _plain(name: str) -> str:
    return re.sub(r"Backward\d*$|^torch::autograd::", "", name)


def loss_nodes(loss: Tensor, *, signs: bool = False) -> Iterator[tuple[Any, bool]]:
    """Yield nodes of known losses, breadth first, and whether their sign flips, if asked for."""
    level, seen = [(root_of(loss), False)], 0
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
    factor = factor_of(node) if base_name(node) in ("Mul", "Div") else None
    if isinstance(factor, Tensor):
        return factor.numel() == 1 and bool(number_in(factor) < 0)
    return base_name(node) in ("Neg", "Rsub") or (isinstance(factor, (int, float)) and factor < 0)


def number_in(factor: Tensor) -> Any:
    """Return the entry of a factor with a single one, without any operation of torch.

    A dispatch mode, such as one that counts FLOPs, would get a Python number if that is what was
    multiplied by, which torch does not accept as a tensor.
    """
    number = factor.tolist()
    while isinstance(number, list):
        (number,) = number
    return number


def own_shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape before broadcasting: expanded dimensions have a stride of 0."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return tuple(1 if stride == 0 else size for size, stride in sizes)


def output_of(node: Any) -> str | None:
    """Return the function that a tensor is the output of, past reshapes; None for a layer."""
    return _OUTPUTS.get(base_name(past_shapes(node)))


def nodes_in_sums(loss: Tensor, is_wanted: Callable[[Any], bool]) -> tuple[list[Any], set[str]]:
    """Find nodes whose outputs a loss adds up, each as often as the others.

    Weights for each entry may leave some out, and are not passed; one number is.

    Args:
        loss: Scalar with its graph.
        is_wanted: Whether a node is looked for.

    Returns:
        The nodes, and the names of those between them and the loss.
    """

    def is_passed(node: Any) -> bool:
        return not is_wanted(node) and (base_name(node) in _SUMS or scales_by_number(node))

    nodes = list(walk(root_of(loss), is_passed))
    found = [node for node in nodes if is_wanted(node)]
    return found, {base_name(node) for node in nodes if node not in found}


def scales_by_number(node: Any) -> bool:
    """Whether a node multiplies or divides by one number."""
    return base_name(node) in ("Mul", "Div") and is_number(factor_of(node))


def single_parent(node: Any) -> Any:
    """Return a node's only parent, constants apart; None if it has several."""
    parents = [parent for parent, _ in node.next_functions if parent is not None]
    return parents[0] if len(parents) == 1 else None


def past(node: Any, names: Collection[str]) -> Any:
    """Return the node before operations of these names, as far as they have a single parent."""
    while base_name(node) in names and (parent := single_parent(node)) is not None:
        node = parent
    return node


def past_shapes(node: Any) -> Any:
    """Return the node before changes of shape, type and place."""
    while base_name(node) in PASS and node.next_functions:
        node = node.next_functions[0][0]
    return node
