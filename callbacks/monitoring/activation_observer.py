"""See every activation that runs, module or functional, eager or compiled, and say where it is."""

import inspect
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointFunction
from torch.utils.hooks import RemovableHandle

Measure = Callable[[str, str, Tensor, int], Tensor | None]
"""``(site, kind, outputs, unit_dim)`` to what is to be kept of a call, or None."""

ACTIVATION_MODULES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "rrelu": nn.RReLU,
    "elu": nn.ELU,
    "celu": nn.CELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "sigmoid": nn.Sigmoid,
    "logsigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "hardsigmoid": nn.Hardsigmoid,
    "hardtanh": nn.Hardtanh,
    "hardswish": nn.Hardswish,
    "hardshrink": nn.Hardshrink,
    "softshrink": nn.Softshrink,
    "tanhshrink": nn.Tanhshrink,
}
"""Every kind that can be observed, under torch's own functional name, and its module."""

# Functions are told by their names: the same in torch, torch.nn.functional and Tensor, and what
# Dynamo can look up.
_OTHER_NAMES = {"log_sigmoid": "logsigmoid", "special_expit": "sigmoid"}
_KIND_OF = {
    **{kind: kind for kind in ACTIVATION_MODULES},
    **{f"{kind}_": kind for kind in ACTIVATION_MODULES},
    **_OTHER_NAMES,
}
# Where the units of a layer's output are, counted from the last dimension; 0 stands for the
# second dimension, however many follow.
_UNIT_DIM = {
    **dict.fromkeys(["linear", "bilinear", "layer_norm", "rms_norm", "embedding"], -1),
    **dict.fromkeys(["matmul", "__matmul__", "addmm"], -1),
    **dict.fromkeys(["conv1d", "conv_transpose1d"], -2),
    **dict.fromkeys(["conv2d", "conv_transpose2d"], -3),
    **dict.fromkeys(["conv3d", "conv_transpose3d"], -4),
    **dict.fromkeys(["batch_norm", "group_norm", "instance_norm"], 0),
}
# What wrappers of modules put into the names of what they wrap.
_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}


class _Scope:
    """One forward pass of one module."""

    def __init__(self, hook: "_Enter", parent: Any) -> None:
        self.hook = hook
        self.parent = parent
        self.calls: dict[str, int] = {}
        self.seen = False


class _Record:
    """What was kept of one call; the records are a chain, the last one first."""

    def __init__(self, previous: Any, scope: _Scope, site: str, kind: str, measured: Any) -> None:
        self.previous = previous
        self.scope = scope
        self.site = site
        self.kind = kind
        self.measured = measured


class _Hook:
    """A hook that neither a copy nor a pickle of its module takes along.

    A copied hook would count the copy's activations with the module's own, and a pickled one
    would hold the observer and through it the run. So both become a function of the standard
    library that takes any arguments and does nothing.
    """

    def __init__(self, observer: "ActivationObserver", name: str, kind: str | None) -> None:
        self.observer = observer
        self.name = name
        self.kind = kind

    def __deepcopy__(self, memo: Any) -> Callable[..., None]:
        return nullcontext().__exit__

    def __reduce__(self) -> Any:
        return getattr, (nullcontext(), "__exit__")


class _Enter(_Hook):
    def __call__(self, module: nn.Module, args: Any) -> None:
        self.observer._scope = _Scope(self, self.observer._scope)


class _Leave(_Hook):
    def __init__(self, enter: _Enter) -> None:
        super().__init__(enter.observer, enter.name, enter.kind)
        self.enter = enter

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        scope = self.observer._scope
        if not torch.compiler.is_compiling():
            # A module that raised did not leave. (A hook with always_call=True would see to that,
            # but its id is guarded: a graph more each time that it is attached.)
            while scope.hook is not self.enter and scope.parent is not scope:
                scope = scope.parent
        if self.kind is not None and not scope.seen:
            self.observer._look_at_module(self.kind, scope, output)
        self.observer._scope = scope.parent


class ActivationObserver(TorchFunctionMode):
    """Keep ``measure(site, kind, outputs, unit_dim)`` of each activation called while entered.

    A site is one call in the forward pass of one module: ``network.act`` for an activation
    module, ``network.act#2`` for its second call in one forward pass of its parent,
    ``network.relu`` for a functional call. The running module is known from hooks, which
    `attach` adds and `detach` removes. Calls without gradients (a teacher network) pass unseen.

    Inside `torch.compile`, Dynamo traces the mode and the hooks into the one graph that it makes
    of the region. That holds as long as (1) ``measure`` is traceable: tensor operations only, no
    host read, no state of its own; and (2) `drain` is called after each step. While traced,
    ``measure`` is given an empty site: the site is found out when the record is drained, else
    blocks of equal form, compiled one by one, would each need a graph of their own. For the same
    reason the state is a chain of objects: the length of a list or the text of a name would be
    guarded, an object is not.

    Args:
        kinds: What to observe, keys of `ACTIVATION_MODULES`.
        measure: Gets the detached outputs and the dimension of their units.
        on_error: Gets what goes wrong while observing; the observed call goes on.

    Attributes:
        traced: Whether any observed call was compiled.
    """

    def __init__(
        self,
        kinds: Collection[str],
        measure: Measure,
        on_error: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._measure = measure
        self._on_error = on_error
        self._kinds = frozenset(kinds)
        watched = {*kinds, "hardtanh"} if "relu6" in kinds else kinds  # nn.ReLU6 calls hardtanh
        names = [name for name, kind in _KIND_OF.items() if kind in watched]
        self._names = frozenset([*names, *_UNIT_DIM, "backward"])
        self._handles: list[RemovableHandle] = []
        self._entered = False
        self.traced = False
        # The outermost scope is the training step itself.
        self._root = _Scope(_Enter(self, "", None), None)
        self._root.parent = self._root
        self._scope = self._root
        self._first = self._last = _Record(None, self._root, "", "", None)
        self._before_pause: tuple[_Record, _Scope, tuple[int, int, int]] | None = None
        self._last_layer = (0, 0, 0)
        self._side_effects: Any = None

    @property
    def attached(self) -> bool:
        """Whether there are hooks on a network."""
        return bool(self._handles)

    @property
    def entered(self) -> bool:
        """Whether the mode is entered, if only for a pause."""
        return self._entered

    def attach(self, root: nn.Module) -> None:
        """Follow which module of ``root`` is running."""
        self.detach()
        self._side_effects = _side_effects_under_checkpoint()
        for name, module in root.named_modules():
            kind = _kind_of_module(module)
            if kind in self._kinds or not (kind or _is_silent(module)):
                enter = _Enter(self, _plain(name), kind)
                self._handles.append(module.register_forward_pre_hook(enter))
                self._handles.append(module.register_forward_hook(_Leave(enter)))

    def detach(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def start(self) -> None:
        """Begin to observe, or go on after a pause."""
        self._go_on()
        if not self._entered:
            self._scope = self._root
            self._last_layer = (0, 0, 0)
            self._entered = True
            if self._side_effects is not None:
                self._side_effects.__enter__()
            self.__enter__()  # type: ignore[no-untyped-call]

    def pause(self) -> None:
        """Keep nothing of what follows: a backward pass, where checkpointing runs modules again."""
        if self._entered and self._before_pause is None:
            self._before_pause = (self._last, self._scope, self._last_layer)

    def _go_on(self) -> None:
        if self._before_pause is not None:
            self._last, self._scope, self._last_layer = self._before_pause
            self._before_pause = None

    def stop(self) -> None:
        """Cease to observe."""
        self._go_on()
        if self._entered:
            self._entered = False
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            if self._side_effects is not None:
                self._side_effects.__exit__(None, None, None)

    def drain(self) -> list[tuple[str, str, Tensor]]:
        """Site, kind and measurement of each call since the last time, in order."""
        records = []
        while self._last is not self._first:
            records.append(self._last)
            self._last = self._last.previous
        drained = []
        for record in reversed(records):
            self.traced = self.traced or not record.site
            site = record.site or self._site(record.scope, record.kind)
            drained.append((site, record.kind, record.measured))
        self._root.calls.clear()
        return drained

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run ``func`` and look at its result where it is a layer or an activation."""
        if torch.compiler.is_compiling():
            return self._trace(func, args, kwargs or {})
        name = getattr(func, "__name__", "")
        if name not in self._names:
            return func(*args, **(kwargs or {}))
        if name == "backward":
            return self._backward(func, args, kwargs or {})
        result = func(*args, **(kwargs or {}))
        try:
            if self._counts():
                self._look(name, args, kwargs or {}, result)
        except Exception as error:
            self._on_error(error)
        return result

    def _counts(self) -> bool:
        """Whether what is running belongs to the step."""
        if torch.compiler.is_compiling():
            return torch.is_grad_enabled()
        return self._before_pause is None and (
            torch.is_grad_enabled() or _in_reentrant_checkpoint()
        )

    def _backward(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run the backward pass with the mode entered, which is off in ``__torch_function__``.

        A compiled region that checkpointing runs again must find the graph of its forward pass:
        another may save other tensors, at which checkpointing stops the training.
        """
        paused = self._before_pause is not None
        self.pause()
        try:
            if func is not Tensor.backward or not _is_plain_loss(*args, **kwargs):
                return func(*args, **kwargs)
            with self:
                return _run_backward(*args, **kwargs)
        finally:
            if not paused:
                self._go_on()

    def _trace(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if isinstance(func, torch._ops.HigherOrderOperator):  # a checkpointed function
            return func(self._observed(args[0]), *args[1:], **kwargs)
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in self._names and self._counts():
            self._look(name, args, kwargs, result)
        return result

    def _observed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with the mode entered, which is off inside of ``__torch_function__``."""

        def observed(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return observed

    def _look(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Tensor,
    ) -> None:
        if name in _UNIT_DIM:
            dim = _UNIT_DIM[name] or 1 - result.ndim
            self._last_layer = (result.ndim, dim, result.shape[dim])
            return
        kind = _KIND_OF[name]
        if kind == "hardtanh" and _is_relu6(args, kwargs):
            kind = "relu6"
        if kind in self._kinds:
            self._keep(kind, self._scope, result)

    def _look_at_module(self, kind: str, scope: _Scope, output: Any) -> None:
        """Look at the output of an activation module that called nothing which the mode sees.

        Dynamo hands a mode only what `torch.overrides` lists: nn.Hardswish calls nothing of it.
        """
        try:
            if self._entered and self._counts() and isinstance(output, Tensor):
                self._keep(kind, scope, output)
        except Exception as error:
            self._on_error(error)

    def _keep(self, kind: str, scope: _Scope, outputs: Tensor) -> None:
        scope.seen = True
        site = "" if torch.compiler.is_compiling() else self._site(scope, kind)
        outputs = outputs.detach()
        measured = self._measure(site, kind, outputs, self._unit_dim_of(outputs))
        if measured is not None:
            self._last = _Record(self._last, scope, site, kind, measured)

    def _site(self, scope: _Scope, kind: str) -> str:
        """Name of the next call in a scope."""
        name = scope.hook.name
        if scope.hook.kind is not None:
            scope = scope.parent
        else:
            name = f"{name}.{kind}" if name else kind
        count = scope.calls[name] = scope.calls.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"

    def _unit_dim_of(self, outputs: Tensor) -> int:
        """Dimension of the last layer's units in what may be a transformed form of its outputs."""
        ndim, dim, width = self._last_layer
        if outputs.ndim == ndim and outputs.shape[dim] == width:
            return dim
        # Pooled, transposed or squeezed: there is one dimension of the layer's width, if any.
        same = [d - outputs.ndim for d in range(1, outputs.ndim) if outputs.shape[d] == width]
        if len(same) == 1:
            return same[0]
        if outputs.ndim == ndim:  # concatenated, split or shuffled
            return dim
        heads = ndim == 3 and dim == -1
        return 1 - outputs.ndim if outputs.ndim > 3 and not heads else -1


def activation_modules(root: nn.Module) -> list[tuple[str, str]]:
    """Name, as in a site, and kind of each activation module."""
    found = ((_plain(name), _kind_of_module(module)) for name, module in root.named_modules())
    return [(name, kind) for name, kind in found if kind is not None]


def _plain(name: str) -> str:
    """A module's name without what wrappers put into it."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _kind_of_module(module: nn.Module) -> str | None:
    return next((kind for kind, of in ACTIVATION_MODULES.items() if isinstance(module, of)), None)


def _is_silent(module: nn.Module) -> bool:
    """Whether a module calls no activation itself: a layer of torch, a compiled module's shell."""
    children = [name for name, _ in module.named_children()]
    return children == ["_orig_mod"] or (
        not children and type(module).__module__.startswith("torch.nn.modules.")
    )


def _is_plain_loss(
    tensor: Tensor, gradient: Tensor | None = None, *args: Any, inputs: Any = None, **kwargs: Any
) -> bool:
    """Whether `_run_backward` can take the place of `torch.Tensor.backward`."""
    return (
        type(tensor) is Tensor
        and tensor.requires_grad
        and (gradient is not None or tensor.numel() == 1)
        and inputs is None
    )


def _run_backward(
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: None = None,
) -> None:
    """Run the backward pass from the tensor's edge in the graph.

    Given the tensor, torch would hand the call back to the mode, which is then off inside of it.
    """
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    gradient = torch.ones_like(tensor) if gradient is None else gradient
    torch.autograd.backward(edge, gradient, retain_graph, create_graph)


def _in_reentrant_checkpoint() -> bool:
    """Whether gradients are off only because a reentrant checkpoint will compute this again."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is CheckpointFunction.forward.__code__:
            return any(frame.f_locals["ctx"].needs_input_grad)
        frame = frame.f_back
    return False


def _side_effects_under_checkpoint() -> Any:
    """Dynamo's leave to record a call inside of a checkpointed function, once, in its forward pass.

    None where nothing is compiled.
    """
    name = "skip_fwd_side_effects_in_bwd_under_checkpoint"
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is None or not hasattr(dynamo.config, name):
        return None
    return dynamo.config.patch({name: True})


def _is_relu6(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    low = args[1] if len(args) > 1 else kwargs.get("min_val")
    high = args[2] if len(args) > 2 else kwargs.get("max_val")
    return bool(low == 0 and high == 6)
