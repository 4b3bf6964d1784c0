"""Hooks that say which module is running."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import nn


class Scope:
    """One forward pass of one module.

    Attributes:
        hook: The hook that began it, which knows the module's name.
        parent: The scope around it; the outermost one is its own.
        calls: How often each site's name was given in it.
        seen: Whether an activation was seen in it.
    """

    def __init__(self, hook: "Enter", parent: Any) -> None:
        self.hook = hook
        self.parent = parent
        self.calls: dict[str, int] = {}
        self.seen = False


class Follower(Protocol):
    """Whom the hooks tell. It is blind where Dynamo allows no change of anything outside."""

    scope: Scope
    blind: bool

    def look_at_module(self, kind: str, scope: Scope, output: Any) -> None:
        """Look at the output of an activation module in whose scope nothing was seen."""


class Hook:
    """A hook that neither a copy nor a pickle of its module takes along.

    A copied hook would count the copy's activations with the module's own, and a pickled one
    would hold the observer and through it the run. So both become a function of the standard
    library that takes any arguments and does nothing.
    """

    def __deepcopy__(self, memo: Any) -> Callable[..., None]:
        return nullcontext().__exit__

    def __reduce__(self) -> Any:
        return getattr, (nullcontext(), "__exit__")


class Enter(Hook):
    """Begin a scope.

    Args:
        observer: Whom to tell.
        name: The module's name.
        kind: Its kind, if it is an activation.
        names: Its names in all the modules that hold it, if there are several.
    """

    def __init__(
        self, observer: Follower, name: str, kind: str | None, names: Sequence[str] = ()
    ) -> None:
        self.observer = observer
        self.name = name
        self.kind = kind
        self.names = (name, *(other for other in names if other != name))

    def name_in(self, parent: str) -> str | None:
        """Nearest name below the module of that name; None where it is held elsewhere."""
        prefix = f"{parent}." if parent else ""
        below = [name for name in self.names if name.startswith(prefix)]
        return min(below, key=lambda name: name.count("."), default=None)

    def __call__(self, module: nn.Module, args: Any) -> None:
        """Before the module's forward pass."""
        if self.observer.blind and torch.compiler.is_compiling():
            return
        self.observer.scope = Scope(self, self.observer.scope)


class Leave(Hook):
    """End a scope."""

    def __init__(self, enter: Enter) -> None:
        self.observer, self.kind, self.enter = enter.observer, enter.kind, enter

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """After the module's forward pass."""
        if self.observer.blind and torch.compiler.is_compiling():
            return
        scope = self.observer.scope
        if not torch.compiler.is_compiling():
            # A module that raised did not leave. (A hook with always_call=True would see to that,
            # but its id is guarded: a graph more each time that it is attached.)
            while scope.hook is not self.enter and scope.parent is not scope:
                scope = scope.parent
        if self.kind is not None and not scope.seen:
            self.observer.look_at_module(self.kind, scope, output)
        self.observer.scope = scope.parent
