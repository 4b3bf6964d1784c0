"""See every ReLU that runs, module or functional, and say where it is."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

RECTIFIER_MODULES = (nn.ReLU, nn.ReLU6)
_RECTIFIERS = frozenset(
    [F.relu, F.relu_, F.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_]
)
# Where the units of a layer's output are, counted from the last dimension.
_UNIT_DIM: dict[Callable[..., Any], int] = {
    F.linear: -1,
    **dict.fromkeys([F.conv1d, F.conv_transpose1d, torch.conv1d, torch.conv_transpose1d], -2),
    **dict.fromkeys([F.conv2d, F.conv_transpose2d, torch.conv2d, torch.conv_transpose2d], -3),
    **dict.fromkeys([F.conv3d, F.conv_transpose3d, torch.conv3d, torch.conv_transpose3d], -4),
}


class RectifierObserver(TorchFunctionMode):
    """Call ``on_rectifier(site, outputs, unit_dim)`` for each ReLU while entered.

    A site is one call in the forward of one module. The module that is running is known from
    hooks, which `attach` adds and `detach` removes. Compiled regions pass unseen. What goes
    wrong while observing is given to ``on_error``, and the observed call goes on.
    """

    def __init__(
        self,
        on_rectifier: Callable[[str, Tensor, int], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._on_rectifier = on_rectifier
        self._on_error = on_error
        self._handles: list[RemovableHandle] = []
        self._entered = False

    def attach(self, root: nn.Module) -> None:
        """Follow which module of ``root`` is running."""
        self.detach()
        for name, module in root.named_modules():
            is_rectifier = isinstance(module, RECTIFIER_MODULES)
            self._handles.append(module.register_forward_pre_hook(self._enter(name, is_rectifier)))
            self._handles.append(module.register_forward_hook(self._leave, always_call=True))

    def detach(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def start(self) -> None:
        """Begin to observe; the outermost scope is the training step itself."""
        if not self._entered:
            self._running: list[tuple[str, bool, dict[str, int]]] = [("", False, {})]
            self._last_layer: tuple[int, torch.Size] | None = None
            self._entered = True
            self.__enter__()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Cease to observe."""
        if self._entered:
            self._entered = False
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def _enter(self, name: str, is_rectifier: bool) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:
            if self._entered and not torch.compiler.is_compiling():
                self._running.append((name, is_rectifier, {}))

        return hook

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._entered and not torch.compiler.is_compiling() and len(self._running) > 1:
            self._running.pop()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run ``func`` and look at its result where it is a rectifier."""
        result = func(*args, **(kwargs or {}))
        if not torch.compiler.is_compiling():
            try:
                self._look(func, result)
            except Exception as error:
                self._on_error(error)
        return result

    def _look(self, func: Callable[..., Any], result: Any) -> None:
        if func in _RECTIFIERS:
            self._on_rectifier(self._site(), result, self._unit_dim_of(result))
        elif func in _UNIT_DIM:
            self._last_layer = (_UNIT_DIM[func], result.shape)

    def _site(self) -> str:
        name, is_rectifier, calls = self._running[-1]
        if is_rectifier:
            calls = self._running[-2][2]
        else:
            name = f"{name}.relu" if name else "relu"
        calls[name] = calls.get(name, 0) + 1
        return name if calls[name] == 1 else f"{name}#{calls[name]}"

    def _unit_dim_of(self, outputs: Tensor) -> int:
        """Dimension of the last layer's units, if the outputs still have its form."""
        if self._last_layer is not None:
            dim, shape = self._last_layer
            if outputs.ndim == len(shape) and outputs.shape[dim] == shape[dim]:
                return dim
        return 1 if outputs.ndim > 3 else -1
