"""One argument, many forms: a name, an import path, a class, a partial, an instance, a function."""

import copy
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ...functional.choices import choose

Options = dict[str, Any]


def resolve(argument: str, choice: Any, table: Mapping[str, Callable[..., Any]]) -> Any:
    """Resolve a choice to a callable that takes options.

    Args:
        argument: Name of the argument, for messages.
        choice: A name in the table, an import path such as ``"package.module.Class"``, or a
            callable.
        table: Choices by name.

    Raises:
        ValueError: If a name is unknown or a path cannot be imported.
        TypeError: If ``choice`` is neither a string nor a callable.
    """
    if isinstance(choice, str):
        if choice in table or "." not in choice or choice.startswith("<"):
            return choose(argument, choice, table)
        return _import(argument, choice)
    if not callable(choice):
        raise TypeError(f"Expected `{argument}` to be a name or a class, but got {choice!r}.")
    return choice


def plain(choice: Any, table: Mapping[str, Any]) -> tuple[Any, Options]:
    """Return name and options of a choice as plain values, which any checkpoint can hold.

    A choice that cannot be imported by name, such as a lambda, or created again, such as a module
    that does not keep its arguments, gets a name that is refused on loading, so that it is never
    loaded as something else.

    Returns:
        Name or import path, and options that were bound to the choice itself.
    """
    if choice is None or isinstance(choice, str):
        return choice, {}
    if isinstance(choice, functools.partial):
        name, options = plain(choice.func, table)
        # Some of torch's functions are built in and have no signature.
        parameters = list(inspect.signature(choice.func).parameters) if choice.args else []
        positional = dict(zip(parameters, choice.args, strict=False))
        return name, {**options, **positional, **choice.keywords}
    if isinstance(choice, nn.Module):
        return _of_module(choice, table)
    for name, known in table.items():
        if known is choice:
            return name, {}
    return _path(choice), {}


def _of_module(module: nn.Module, table: Mapping[str, Any]) -> tuple[str, Options]:
    kind = type(module)
    name = plain(kind, table)[0]
    takes_arguments = kind.__init__ is not nn.Module.__init__
    parameters = list(inspect.signature(kind).parameters) if takes_arguments else []
    options = {p: getattr(module, p) for p in parameters if hasattr(module, p)}
    if name not in table and len(options) < len(parameters):
        return f"<{kind.__name__} does not keep its arguments: give it again when loading>", {}
    return name, options


def fresh(choice: Any, options: Options) -> nn.Module:
    """Create a module from a class, factory, instance or function of one tensor."""
    if isinstance(choice, nn.Module):
        if options:
            raise TypeError("a module has its options already")
        return copy.deepcopy(choice)
    made_of = choice.func if isinstance(choice, functools.partial) else choice
    made = choice(**options) if inspect.isclass(made_of) else _call_or_wrap(choice, options)
    if not isinstance(made, nn.Module):
        raise TypeError(f"Expected {choice!r} to make an nn.Module, but it made {made!r}.")
    return made


class FunctionModule(nn.Module):
    """Wrap a function of one tensor as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        """Apply the function."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Return the name of the function."""
        return getattr(self.function, "__name__", repr(self.function))


def _call_or_wrap(choice: Callable[..., Any], options: Options) -> Any:
    bound = functools.partial(choice, **options) if options else choice
    try:
        signature = inspect.signature(choice)
    except ValueError:  # a built-in function of torch's
        return FunctionModule(bound)
    signature.bind_partial(**options)  # refuses unknown options
    try:
        signature.bind(**options)
    except TypeError:  # it requires an input
        return FunctionModule(bound)
    return bound()


def _import(argument: str, path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"Expected `{argument}` to be a name or an import path, but {path!r} cannot be "
            f"imported: {error}."
        ) from error


def _path(choice: Any) -> str:
    module = getattr(choice, "__module__", None) or "torch"
    names = [getattr(choice, name, "<unnamed>") for name in ("__qualname__", "__name__")]
    for path in (f"{module}.{name}" for name in names):  # torch.tanh has a name of its class
        try:
            if _import("choice", path) is choice:
                return path
        except ValueError:
            continue
    return f"<{module}.{names[0]} cannot be imported: give it again when loading>"
