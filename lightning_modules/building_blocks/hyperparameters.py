"""The arguments that a module was made with, as plain text and numbers."""

import inspect
from types import FrameType
from typing import Any

import numpy as np

from .activations import ACTIVATIONS
from .choices import Options, plain
from .optimizers import OPTIMIZERS

_TABLES: dict[str, dict[str, Any]] = {"activation": ACTIVATIONS, "optimizer": OPTIMIZERS}


def plain_hyperparameters(hyperparameters: dict[str, Any]) -> Options:
    """Classes, partials and instances among them as names, with their options beside them.

    Numbers of NumPy's and torch's kinds are Python's, and so are those of class weights.
    """
    changed: Options = {
        name: value.tolist()
        for name, value in hyperparameters.items()
        if hasattr(value, "tolist") and (name == "class_weights" or not np.ndim(value))
    }
    for argument, table in _TABLES.items():
        choice = hyperparameters.get(argument)
        if choice is None or isinstance(choice, str):
            continue
        name, bound = plain(choice, table)
        given = hyperparameters.get(f"{argument}_options") or {}
        changed[argument] = name
        if bound or given:
            changed[f"{argument}_options"] = {**bound, **given}
    return changed


def outermost_arguments(module: object, frame: FrameType | None) -> Options:
    """What the most derived ``__init__`` of a module was called with.

    Args:
        module: The object that is being made.
        frame: Frame of one of its ``__init__``.

    Returns:
        Values by name, those of ``**kwargs`` included.
    """
    arguments: Options = {}
    while frame is not None and frame.f_locals.get("self") is module:
        if frame.f_code.co_name == "__init__":
            given = inspect.getargvalues(frame)
            arguments = {name: given.locals[name] for name in given.args[1:]}
            arguments.update(given.locals.get(given.keywords, {}) if given.keywords else {})
        frame = frame.f_back
    return arguments
