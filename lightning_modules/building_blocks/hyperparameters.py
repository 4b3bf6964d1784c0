"""The arguments that a module was created with, as plain strings and numbers."""

import inspect
import operator
from collections.abc import Sequence
from types import FrameType
from typing import Any

import numpy as np

from ...functional.arguments import plain_value
from .activations import ACTIVATIONS
from .choices import Options, plain
from .optimizers import OPTIMIZERS

_TABLES: dict[str, dict[str, Any]] = {"activation": ACTIVATIONS, "optimizer": OPTIMIZERS}

_NUMBERS = ("class_weights", "hidden", "channels", "kernel_sizes")


def plain_hyperparameters(hyperparameters: dict[str, Any]) -> Options:
    """Return names and options in place of classes, partials and instances.

    Scalars of NumPy and torch, class weights, widths, kernel sizes, and what NumPy has in options
    become Python's own numbers.
    """
    changed: Options = {
        name: value.tolist()
        for name, value in hyperparameters.items()
        if hasattr(value, "tolist") and (name in _NUMBERS or not np.ndim(value))
    }
    changed |= {
        name: plain_value(value)
        for name, value in hyperparameters.items()
        if name.endswith("_options") or (name in _NUMBERS and type(value) in (list, tuple))
    }
    for argument, table in _TABLES.items():
        if argument in hyperparameters:
            changed[argument], bound = plain(hyperparameters[argument], table)
            given = hyperparameters.get(f"{argument}_options") or {}
            if bound or given:
                changed[f"{argument}_options"] = plain_value({**bound, **given})
    return changed


def outermost_arguments(module: object, frame: FrameType | None) -> Options:
    """Return the arguments of a module's most derived ``__init__``.

    Args:
        module: The object that is being created.
        frame: Frame of one of its ``__init__``.

    Returns:
        Values by name, including those of ``**kwargs``, and of ``*args`` if they are passed on.
    """
    arguments: Options = {}
    positional: Options = {}
    while frame is not None and frame.f_locals.get("self") is module:
        if frame.f_code.co_name == "__init__":
            given = inspect.getargvalues(frame)
            arguments = {name: given.locals[name] for name in given.args[1:]}
            own = {name: given.locals[name] for name in given.args[1 : frame.f_code.co_argcount]}
            if given.varargs:
                passed_on = given.locals[given.varargs]
                rest = list(positional)[_place(passed_on, list(positional.values())) :]
                arguments.update(zip(rest, passed_on, strict=False))
                own |= {name: positional[name] for name in rest}
            positional = own
            arguments.update(given.locals.get(given.keywords, {}) if given.keywords else {})
        frame = frame.f_back
    return arguments


def _place(passed_on: Sequence[Any], received: Sequence[Any]) -> int:
    """Return how many arguments a subclass has put before those that it passes on."""
    places = range(len(received) - len(passed_on) + 1)
    fits = (n for n in places if all(map(operator.is_, passed_on, received[n:])))
    return next(fits, 0)
