"""Hooks that track which module is running."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from .activation_observer import ActivationObserver


class Scope:
    """One forward pass of one module.

    Attributes:
        hook: The hook that began it, which knows the module's name.
        parent: The enclosing scope; the outermost scope is its own parent.
        calls: Number of times that each site's name was used in it.
        seen: Whether an activation was observed in it.
    """

    def __init__(self, hook: "Enter", parent: Any) -> None:
        self.hook = hook
        self.parent = parent
        self.calls: dict[str, int] = {}
        self.seen = False


class Hook:
    """A hook that is not carried over into a copy or a pickle of its module.

    A copied hook would count the copy's activations among the module's own, and a pickled one
    would hold the observer and, through it, the run. So both become a standard library function
    that accepts any arguments and does nothing.
    """

    def __deepcopy__(self, memo: Any) -> Callable[..., None]:
        return nullcontext().__exit__

    def __reduce__(self) -> Any:
        return getattr, (nullcontext(), "__exit__")


class Enter(Hook):
    """Begin a scope.

    Args:
        observer: The observer to notify.
        name: The module's name.
        kind: Its kind, if it is an activation.
        names: Its names in all the modules that hold it, if there are several.
    """

    def __init__(
        self, observer: "ActivationObserver", name: str, kind: str | None, names: Sequence[str] = ()
    ) -> None:
        self.observer = observer
        self.name = name
        self.kind = kind
        self.names = (name, *(other for other in names if other != name))

    def name_in(self, parent: str) -> str | None:
        """Nearest of its names inside the module ``parent``; None if it is held elsewhere only."""
        prefix = f"{parent}." if parent else ""
        below = [name for name in self.names if name.startswith(prefix)]
        return min(below, key=lambda name: name.count("."), default=None)

    def __call__(self, module: nn.Module, args: Any) -> None:
        """Begin the scope before the module's forward pass."""
        if self.observer.blind and torch.compiler.is_compiling():
            return
        self.observer.scope = Scope(self, self.observer.scope)


class Leave(Hook):
    """End a scope."""

    def __init__(self, enter: Enter) -> None:
        self.observer, self.kind, self.enter = enter.observer, enter.kind, enter

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """End the scope after the module's forward pass."""
        if self.observer.blind and torch.compiler.is_compiling():
            return
        scope = self.observer.scope
        if not torch.compiler.is_compiling():
            # A module that raised an error did not leave its scope. (A hook with always_call=True
            # would, but its id is guarded: one more graph each time that it is attached.)
            while scope.hook is not self.enter and scope.parent is not scope:
                scope = scope.parent
        if self.kind is not None and not scope.seen:
            self.observer.look_at_module(self.kind, scope, output)
        self.observer.scope = scope.parent


class LookAway(Hook):
    """See nothing while the module runs; as a forward hook of it, go on.

    Args:
        observer: The observer to notify.
    """

    def __init__(self, observer: "ActivationObserver") -> None:
        self.observer = observer

    def __call__(self, module: nn.Module, args: Any, *output: Any) -> None:
        """Look away before the module's forward pass, and back after it."""
        if torch.compiler.is_compiling():
            return
        if output:
            self.observer.look_back()
        else:
            self.observer.look_away()
