"""Find the activations, normalisations and weight layers before and after each weight layer."""

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import fx, nn

from .activations import ACTIVATIONS
from .initializations import WEIGHT_LAYERS
from .surgery import parts

Kind = Literal["weight", "normalization", "activation", "other", "input", "output"]
Direction = Literal["before", "after"]
Mode = Literal["eval", "train", "registered"]

ELEMENTWISE_ACTIVATIONS: tuple[type[nn.Module], ...] = tuple(
    activation for activation in ACTIVATIONS.values() if activation is not nn.Identity
)
_BY_FUNCTION = {
    **{name: made for name, made in ACTIVATIONS.items() if made is not nn.Identity},
    "logsigmoid": nn.LogSigmoid,
}
_NORM_FUNCTIONS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
_WEIGHT_FUNCTIONS = {"linear", "bilinear", "embedding"} | {
    f"conv{transposed}{dims}d" for transposed in ("", "_transpose") for dims in (1, 2, 3)
}
# These read the shape of a tensor and none of its values.
_SHAPE_FUNCTIONS = {"size", "dim", "numel", "ndimension", "len"}
_SHAPE_ATTRIBUTES = {"shape", "ndim", "dtype", "device"}
# The transformer layers of torch register their parts in a different order from the running order.
_RUNNING_ORDER = ("self_attn", "norm1", "multihead_attn", "linear1", "activation", "linear2")


@dataclass(eq=False)
class Step:
    """One call of a module or function, with the calls that feed it and those that it feeds."""

    kind: Kind = "other"
    module: nn.Module | None = None
    before: "list[Step]" = field(default_factory=list)
    after: "list[Step]" = field(default_factory=list)

    def reached(self, direction: Direction, through: Sequence[Kind]) -> "Iterator[Step]":
        """Yield the calls on each path, nearest first, up to one of a kind not in ``through``."""
        seen, waiting = {self}, list(getattr(self, direction))
        while waiting:
            step = waiting.pop(0)
            if step not in seen:
                seen.add(step)
                yield step
                if step.kind in through:
                    waiting += getattr(step, direction)

    def nearest(self, direction: Direction) -> "list[Step]":
        """Return the first calls on each path other than reshaping, pooling, adding or dropout."""
        return [step for step in self.reached(direction, ["other"]) if step.kind != "other"]


class Dataflow:
    """Calls of the weight layers of a network.

    They are found with ``torch.fx``, which traces the network's code symbolically. A module whose
    code cannot be traced, such as one that branches on values, is assumed to run its submodules in
    registration order; each of them is traced in turn.

    Args:
        network: Not modified.
    """

    def __init__(self, network: nn.Module) -> None:
        self.calls: dict[nn.Module, list[Step]] = {}
        self.guessed: list[nn.Module] = []
        layers = [module for module in parts(network) if isinstance(module, WEIGHT_LAYERS)]
        # Layers that are not called in evaluation, such as auxiliary outputs, may be in training.
        modes: tuple[Mode, ...] = ("eval", "train", "registered")
        for mode in modes:
            if all(layer in self.calls for layer in layers):
                break
            walk = _Walk(mode)
            first, last = walk.follow(network)
            _connect(Step("input"), first)
            _connect(last, Step("output"))
            self.calls = {**walk.calls, **self.calls}
            self.guessed = walk.guessed if mode == "eval" else self.guessed

    def lacks_normalization(self, layer: nn.Module) -> bool:
        """Whether an activation, weight layer or output reads the layer without normalisation."""
        return any(
            step.kind != "normalization"
            for call in self.calls.get(layer, ())
            for step in call.nearest("after")
        )

    def is_output(self, layer: nn.Module) -> bool:
        """Whether no weight layer follows one of the layer's calls."""
        return any(
            all(step.kind != "weight" for step in call.reached("after", get_args(Kind)))
            for call in self.calls.get(layer, ())
        )

    def activation_before(self, layer: nn.Module) -> nn.Module | None:
        """Return the activation that feeds the layer; None if its inputs differ."""
        steps = [step for call in self.calls.get(layer, ()) for step in call.nearest("before")]
        agree = len({type(step.module) for step in steps}) == 1
        return steps[0].module if agree and steps[0].kind == "activation" else None

    def activation_after(self, layer: nn.Module) -> nn.Module | None:
        """Return the first activation that the layer feeds, through normalisations or not."""
        for call in self.calls.get(layer, ()):
            for step in call.reached("after", ["other", "normalization"]):
                if step.kind == "activation":
                    return step.module
        return None


def is_normalization(module: nn.Module) -> bool:
    """Whether a module normalises, by its class name, which covers other libraries too."""
    return "norm" in type(module).__name__.lower() and not _has_matrices(module)


def _has_matrices(module: nn.Module) -> bool:
    return any(parameter.ndim > 1 for parameter in module.parameters())


def _is_torchs(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.")


def _kind(module: nn.Module) -> Kind:
    if isinstance(module, ELEMENTWISE_ACTIVATIONS):
        return "activation"
    if isinstance(module, WEIGHT_LAYERS):
        return "weight"
    if is_normalization(module):
        return "normalization"
    return "weight" if _has_matrices(module) else "other"


def _connect(first: Step, second: Step) -> None:
    first.after.append(second)
    second.before.append(first)


def _in_order(module: nn.Module) -> Iterator[nn.Module]:
    if not isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        yield from module.children()
        return
    for name in _RUNNING_ORDER:
        part = getattr(module, name, None)
        if isinstance(part, nn.Module):
            yield part
        elif part is not None:  # the activation, which may be a function
            yield _BY_FUNCTION.get(getattr(part, "__name__", ""), nn.Identity)()
    yield module.norm2


class _Walk:
    """One pass through a network: in evaluation, in training, or in registration order."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.calls: dict[nn.Module, list[Step]] = {}
        self.guessed: list[nn.Module] = []

    def follow(self, module: nn.Module) -> tuple[Step, Step]:
        """Add the steps of a module; return the first and the last of them."""
        single = isinstance(module, (nn.MultiheadAttention, *WEIGHT_LAYERS))
        if single or not any(True for _ in module.children()) or is_normalization(module):
            step = Step(_kind(module), module)
            self.calls.setdefault(module, []).append(step)
            return step, step
        if self.mode != "registered":
            graph = trace(module, training=self.mode == "train")
            if graph is not None:
                return self._follow_graph(graph, module)
            if not _is_torchs(module) and sum(map(_has_matrices, module.children())) > 1:
                self.guessed.append(module)
        first = last = Step()
        for part in _in_order(module):
            start, end = self.follow(part)
            _connect(last, start)
            last = end
        return first, last

    def _follow_graph(self, graph: fx.Graph, module: nn.Module) -> tuple[Step, Step]:
        entry, end = Step(), Step()
        ends: dict[fx.Node, Step] = {}
        for node in graph.nodes:
            if node.op == "get_attr":  # such as a weight that is used without calling its layer
                owner = module.get_submodule(node.target.rpartition(".")[0])
                self.calls.setdefault(owner, [])
            if node.op == "call_module":
                start, ends[node] = self.follow(module.get_submodule(node.target))
            elif node.op == "output":
                start = ends[node] = end
            else:
                start = ends[node] = _function_step(node)
            if node.op == "placeholder":
                _connect(entry, start)
            for argument in node.all_input_nodes:
                if not _reads_shape(argument):
                    _connect(ends[argument], start)
        return entry, end


def _reads_shape(node: fx.Node) -> bool:
    name = function_name(node)
    return name in _SHAPE_FUNCTIONS or (name == "getattr" and node.args[1] in _SHAPE_ATTRIBUTES)


def _function_step(node: fx.Node) -> Step:
    name = function_name(node).rstrip("_")
    if name in _BY_FUNCTION:
        return Step("activation", _as_module(_BY_FUNCTION[name], node))
    if name in _NORM_FUNCTIONS:
        return Step("normalization")
    return Step("weight" if name in _WEIGHT_FUNCTIONS else "other")


def _as_module(activation: Callable[..., nn.Module], node: fx.Node) -> nn.Module:
    options = {k: v for k, v in node.kwargs.items() if k not in ("input", "training")}
    try:
        return activation(*node.args[1:], **options)
    except TypeError:  # such as the weights of PReLU, which are only known at run time
        return activation()


def function_name(node: fx.Node) -> str:
    """Return the name of the function or method that a graph node calls; empty for others."""
    if node.op == "call_method":
        return str(node.target)
    return getattr(node.target, "__name__", "") if node.op == "call_function" else ""


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = isinstance(m, (*WEIGHT_LAYERS, *ELEMENTWISE_ACTIVATIONS)) or is_normalization(m)
        return known or super().is_leaf_module(m, module_qualified_name)


def trace(module: nn.Module, *, training: bool = False) -> fx.Graph | None:
    """Return the graph of a module's calls, or None if its code cannot be traced.

    A copy that shares the parameters is traced, so that the module's attributes stay unchanged.
    """
    if _is_torchs(module) and not isinstance(module, nn.Sequential):
        return None
    try:
        twin = copy.deepcopy(module, {id(p): p for p in module.parameters()}).train(training)
        for part in twin.modules():
            part._forward_pre_hooks.clear()
            part._forward_hooks.clear()
            part._backward_pre_hooks.clear()
            part._backward_hooks.clear()
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(twin.forward).parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            return _Tracer().trace(twin, concrete_args=defaults or None)
    except Exception:  # the module's own code may raise anything when traced
        return None
