"""Observe every activation that runs, module or functional, eager or compiled, and its site."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from .activation_kinds import (
    functions_of,
    is_silent,
    kind_of_call,
    kind_of_module,
    names_by_module,
    plain_name,
)
from .checkpointing import (
    SideEffects,
    in_reentrant_checkpoint,
    is_plain_loss,
    run_backward,
)
from .compilation import is_scripted, leave_out_of_dynamo, runs_in_graph_of_dynamo
from .fused_attention import callers_of_fused, inside_fused
from .loose_calls import LooseCalls
from .mode_stack import entered_after, leave
from .module_scopes import Enter, Leave, LookAway, Scope
from .site_watch import SiteForm
from .unit_dims import NO_LAYER, UNIT_DIM, LayerOutput, layer_output, unit_dim_of

Measure = Callable[[str, str, Tensor, int], Tensor | None]
"""Maps ``(site, kind, outputs, unit_dim)`` to what to keep of a call, or None."""

_BACKWARD = ("backward", "grad")
_BETWEEN = frozenset([__file__, torch.overrides.__file__, torch.nn.functional.__file__])


class _Record:
    """Measurement of one call; the records are a linked list, the last one first."""

    def __init__(self, previous: Any, scope: Scope, site: str, kind: str, measured: Any) -> None:
        self.previous = previous
        self.scope = scope
        self.site = site
        self.kind = kind
        self.measured = measured


class ActivationObserver(TorchFunctionMode):
    """Keep ``measure(site, kind, outputs, unit_dim)`` of each activation called while entered.

    A site is one call in the forward pass of one module: ``network.act`` for an activation
    module, ``network.act#2`` for its second call in one forward pass of its parent,
    ``network.relu`` for a functional call. A module that several others hold has a site in each,
    under its name there; one called by a module that does not hold it counts as a functional call.
    An activation that the training step itself, not compiled, calls after a layer, and whose
    outputs reach no further layer, belongs to the loss and is not a site. Hooks, which `attach`
    adds and `detach` removes, track the running module. Calls without gradients (a teacher network)
    and calls on parameters are not observed.

    Inside `torch.compile`, Dynamo traces the mode and the hooks into the single graph of the
    region. This requires that (1) ``measure`` is traceable: tensor operations only, no transfer to
    the host, no state; and (2) `drain` is called after each step. While traced, ``measure`` gets an
    empty site, which is determined when the record is drained: otherwise blocks of the same form,
    compiled one by one, would each need their own graph. For the same reason the state is a linked
    list of objects: Dynamo would guard the length of a list or the text of a name, but not an
    object. A backend that calls the functions of the graph as they are (``eager``) does so with the
    mode entered: these calls are not observed again.

    Args:
        kinds: Kinds to observe, keys of `ACTIVATION_MODULES`.
        measure: Called with the detached outputs and the dimension of their units.
        on_error: Called with any error raised while observing; the observed call continues.

    Attributes:
        traced: Whether any observed call was compiled.
        forms: Form of each site's outputs; None where calls differ, or the module has sites in
            several others.
        called: Names of the activation modules that were called, the first name of each.
        called_in_vain: Names of those that were called with an empty batch.
        entered: Whether a step is being observed, possibly paused.
        ends_in_layer: Whether a layer followed the last activation, which is then not the output.
        blind: Whether Dynamo is tracing a part that allows no side effects.
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
        self._names = frozenset([*functions_of(kinds), *UNIT_DIM, *_BACKWARD])
        self._handles: list[RemovableHandle] = []
        self.entered = self._in_mode = self._looks_away = False
        self._step_is_forward = False
        self.traced = False
        # The outermost scope is the training step itself.
        self._root = Scope(Enter(self, "", None), None)
        self._root.parent = self._root
        self.scope = self._root
        self._first = self._last = _Record(None, self._root, "", "", None)
        self._before_pause: tuple[_Record, Scope, LayerOutput] | None = None
        self._last_layer = NO_LAYER
        self._loose = LooseCalls()
        self._compiled_layer_ran = False
        self._side_effects = SideEffects()
        self.blind = False
        self.ends_in_layer = False
        self.forms: dict[str, SiteForm | None] = {}
        self.called: set[str] = set()
        self.called_in_vain: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out transient state: a copy has neither hooks nor calls, and is not entered."""
        kept = ("_kinds", "_measure", "_on_error", "traced", "forms")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start afresh with the saved settings."""
        self.__init__(  # type: ignore[misc]
            state["_kinds"], state["_measure"], state["_on_error"]
        )
        self.traced, self.forms = state["traced"], state["forms"]

    def attach(self, root: nn.Module, *, step_is_forward: bool = False) -> None:
        """Track which module of ``root`` is running.

        Args:
            root: The module that is trained.
            step_is_forward: Whether the training step runs as its forward pass.
        """
        self.detach()
        self._step_is_forward = step_is_forward
        leave_out_of_dynamo(type(self).__torch_function__)
        self._side_effects.allow()
        names, unhooked = names_by_module(root), inside_fused(root)
        for name, module in root.named_modules():
            kind = kind_of_module(module)
            if is_scripted(module) or id(module) in unhooked:
                continue
            if kind in self._kinds or not is_silent(module):
                enter = Enter(self, plain_name(name), kind, names.get(id(module), ()))
                self._handles.append(module.register_forward_pre_hook(enter))
                self._handles.append(module.register_forward_hook(Leave(enter)))
        for module in callers_of_fused(root):
            self._handles.append(module.register_forward_pre_hook(LookAway(self)))
            self._handles.append(module.register_forward_hook(LookAway(self)))

    def attach_to_step(self, module: LightningModule) -> None:
        """Track which module of a training step is running, if not done already."""
        if not self._handles:
            # Wrapped (DDP), the module runs its training step as a forward pass.
            self.attach(module, step_is_forward=module.trainer.model is not module)

    def detach(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._side_effects.restore()

    def start(self) -> None:
        """Start observing, or resume after a pause."""
        self._go_on()
        if not self.entered:
            self.scope = self._root
            self.blind = False
            self._last_layer = NO_LAYER
            self._loose.take()
            self.entered, self._looks_away = True, False
        self._enter_mode()

    def pause(self) -> None:
        """Ignore the calls that follow: a backward pass, in which checkpointing reruns modules.

        The mode stays entered if anything was compiled, see `_backward`, and if a foreign mode was
        entered after it: that one may be left, as the last one entered, before this one resumes.
        """
        if self.entered:
            self._hold()
            if not (self.traced or self._is_covered()):
                self._leave_mode()

    def look_away(self) -> None:
        """Leave the mode for a module that runs otherwise with a mode entered."""
        if self._in_mode and not self._is_covered():
            self._leave_mode()
            self._looks_away = True

    def look_back(self) -> None:
        """Enter the mode again after such a module."""
        if self._looks_away:
            self._looks_away = False
            self._enter_mode()

    def _is_covered(self) -> bool:
        return not all(isinstance(mode, ActivationObserver) for mode in entered_after(self))

    def _hold(self, *, goes_on: bool = False) -> None:
        if self.entered and self._before_pause is None:
            if not goes_on:
                self._leave_out_the_loss()
            self._before_pause = (self._last, self.scope, self._last_layer)

    def _leave_out_the_loss(self) -> None:
        """Drop the step's own calls whose outputs reach no layer: a hinge, not a layer's units."""
        self._keep_before_compiled_layer()
        for record in self._loose.take():
            record.measured = None

    def _keep_before_compiled_layer(self) -> None:
        """Keep calls that a compiled layer followed: what its inputs come from is not seen."""
        if self._compiled_layer_ran:
            self._loose.take()

    def _go_on(self) -> None:
        if self._before_pause is not None:
            self._last, self.scope, self._last_layer = self._before_pause
            self._before_pause = None

    def _enter_mode(self) -> None:
        if not self._in_mode:
            self._in_mode = True
            self._side_effects.allow()
            self.__enter__()  # type: ignore[no-untyped-call]

    def _leave_mode(self) -> None:
        if self._in_mode:
            self._in_mode = False
            leave(self)
            if not self._handles:
                self._side_effects.restore()

    def stop(self) -> None:
        """Stop observing."""
        self._looks_away = False
        if self.entered:
            self._leave_out_the_loss()
            self._go_on()
            self.entered = False
            self._leave_mode()

    def drain(self) -> list[tuple[str, str, Tensor]]:
        """Return the site, kind and measurement of each call since the last time, in order."""
        records = []
        while self._last is not self._first:
            records.append(self._last)
            self._last = self._last.previous
        drained = []
        for record in reversed(records):
            if record.measured is not None:
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
        """Run ``func``, and inspect its result if it is a layer or an activation."""
        if torch.compiler.is_compiling():
            return self._trace(func, args, kwargs or {})
        name = getattr(func, "__name__", "")
        if name not in self._names:
            return func(*args, **(kwargs or {}))
        if name in _BACKWARD:
            return self._backward(func, args, kwargs or {})
        result = func(*args, **(kwargs or {}))
        try:
            # Calls of a compiled region were observed when it was traced.
            if self._counts() and (name in UNIT_DIM or not runs_in_graph_of_dynamo(_BETWEEN)):
                # A mode around this one must not take the inspection for calls of the network.
                with torch._C.DisableTorchFunction():
                    self._look(name, args, kwargs or {}, result)
        except Exception as error:
            self._on_error(error)
        return result

    def _counts(self) -> bool:
        """Whether the current call counts as part of the step."""
        if torch._C._functorch.maybe_current_level() is not None:  # in torch.vmap or torch.func
            return False
        if torch.compiler.is_compiling():
            return torch.is_grad_enabled() and not self.blind
        return self._before_pause is None and (torch.is_grad_enabled() or in_reentrant_checkpoint())

    def _backward(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run the backward pass with the mode entered, which is off in ``__torch_function__``.

        A compiled region that checkpointing reruns must use the graph of its forward pass: another
        graph may save other tensors, and checkpointing would stop the training with an error.
        A gradient that the step asks for (a penalty, forces) does not end its forward pass.
        """
        paused = self._before_pause is not None
        self._hold(goes_on=func is torch.autograd.grad)
        try:
            if func is not Tensor.backward or not is_plain_loss(*args, **kwargs):
                return func(*args, **kwargs)
            with self:
                return run_backward(*args, **kwargs)
        finally:
            if not paused:
                self._go_on()

    def _trace(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if isinstance(func, torch._ops.HigherOrderOperator):
            if func is torch.ops.higher_order.tag_activation_checkpoint:
                return func(self._observed(args[0]), *args[1:], **kwargs)
            self.blind = True
            result = func(*args, **kwargs)
            self.blind = False
            return result
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in self._names and name not in _BACKWARD and self._counts():
            self._look(name, args, kwargs, result)
        return result

    def _observed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function to run with the mode entered, which is off in ``__torch_function__``."""

        def observed(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return observed

    def _look(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
    ) -> None:
        if name in UNIT_DIM:
            # A product of two vectors, as in a penalty, is no layer's output, nor is an operator's.
            if not isinstance(result, Tensor) or result.ndim == 0:
                return
            self._last_layer = layer_output(name, args, kwargs, result, self._last_layer)
            self.ends_in_layer = True
            if torch.compiler.is_compiling():
                self._compiled_layer_ran = True
            else:
                self._loose.meet_layer([*args, *kwargs.values()])
            return
        if isinstance(args[0] if args else kwargs.get("input"), nn.Parameter):
            # Weights that must be positive, or a mask of weights: softplus(weight) has no units.
            self.scope.seen = True
            return
        kind = kind_of_call(name, args, kwargs)
        # Another activation that an activation module calls in its formula is not its output.
        own = self.scope.hook.kind
        if kind in self._kinds and (own is None or (own == kind and not _is_part(self.scope))):
            self._keep(kind, self.scope, result)

    def look_at_module(self, kind: str, scope: Scope, output: Any) -> None:
        """Inspect the output of an activation module that called nothing visible to the mode.

        Dynamo passes only functions listed in `torch.overrides` to a mode: nn.Hardswish calls none.
        """
        try:
            watched = kind in self._kinds and not _is_part(scope)
            watched = watched and self.entered and self._counts()
            if watched and isinstance(output, Tensor):
                self._keep(kind, scope, output)
        except Exception as error:
            self._on_error(error)

    def _keep(self, kind: str, scope: Scope, outputs: Tensor) -> None:
        scope.seen = True
        # Rows of different lengths have no units to average, and one number per sample, or for all
        # samples, belongs to a loss or a gate.
        if outputs.is_nested or outputs.ndim < min(2, self._last_layer.ndim or 2):
            return
        # Integers are not activations, and the entries of sparse matrices have no units.
        if not outputs.is_floating_point() or outputs.layout != torch.strided:
            return
        in_step = not torch.compiler.is_compiling() and self._is_step(scope)
        self.ends_in_layer = self.ends_in_layer and in_step
        site = "" if torch.compiler.is_compiling() else self._site(scope, kind)
        if outputs.numel() == 0:
            # The batch is empty, as for an expert that no sample was routed to.
            if site and scope.hook.kind is not None:
                self.called_in_vain.add(scope.hook.name)
            return
        given, outputs = outputs, outputs.detach()
        unit_dim = unit_dim_of(outputs, self._last_layer)
        if site:
            self._note_form(site, scope.hook, SiteForm(kind, outputs.ndim, unit_dim))
        measured = self._measure(site, kind, outputs, unit_dim)
        if measured is not None:
            self._last = _Record(self._last, scope, site, kind, measured)
            if not site:
                self.traced = True
            if in_step and self._last_layer is not NO_LAYER:
                self._keep_before_compiled_layer()
                self._compiled_layer_ran = False
                self._loose.add(self._last, given)

    def _is_step(self, scope: Scope) -> bool:
        """Whether a scope is that of the training step itself."""
        return scope is self._root or (self._step_is_forward and scope.parent is self._root)

    def _note_form(self, site: str, hook: Enter, form: SiteForm) -> None:
        if hook.kind is not None:
            self.called.add(hook.name)
        self.forms[site] = form if self.forms.get(site, form) == form else None
        elsewhere = len(hook.names) > 1 or site.partition("#")[0] != hook.name
        if hook.kind is not None and elsewhere:
            self.forms[site] = self.forms[hook.name] = None

    def _site(self, scope: Scope, kind: str) -> str:
        """Name of the next call in a scope."""
        hook, name = scope.hook, None
        if hook.kind is not None:
            scope = scope.parent
            name = hook.name_in(scope.hook.name)
        if name is None:
            name = f"{scope.hook.name}.{kind}" if scope.hook.name else kind
        count = scope.calls[name] = scope.calls.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"


def _is_part(scope: Scope) -> bool:
    """Whether an activation module is part of another one's formula."""
    return scope.parent.hook.kind is not None
