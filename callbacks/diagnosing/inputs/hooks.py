"""Hooks that look on."""

from collections.abc import Callable
from typing import Any

from torch.utils.hooks import RemovableHandle

from ...monitoring.activations.compilation import is_transformed
from ...monitoring.activations.module_scopes import Hook


class Hooks:
    """Hooks that never interrupt a forward pass, and that copies of the network leave out."""

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []
        self._error: Exception | None = None

    def add(self, register: Callable[..., RemovableHandle], look: Callable[..., None]) -> None:
        """Hook a module.

        Args:
            register: A method of the module, such as `register_forward_hook`.
            look: Called with the hook's arguments, until one fails.
        """
        self._handles.append(register(_Guarded(self, look)))

    def call(self, look: Callable[..., None], *arguments: Any) -> None:
        """Look, and keep any error."""
        if self._error is not None or is_transformed():
            return
        try:
            look(*arguments)
        except Exception as error:
            self._error = error

    def remove(self) -> None:
        """Remove all hooks."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def raise_error(self) -> None:
        """Raise the error of a hook, if there was one."""
        if self._error is not None:
            raise self._error


class _Guarded(Hook):
    def __init__(self, hooks: Hooks, look: Callable[..., None]) -> None:
        self._hooks, self._look = hooks, look

    def __call__(self, *arguments: Any) -> None:
        self._hooks.call(self._look, *arguments)
