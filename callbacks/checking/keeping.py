"""State outside its copy that a trial run must restore: random states and global switches."""

import copy
import random
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader

from ...functional.devices import random_state, set_random_state

# From a list of loaders over their subsets of a data set to what its composed transforms hold.
_MAX_LEVELS = 9
_MAX_PARTS = 100
_Generator = torch.Generator | random.Random | np.random.Generator | np.random.RandomState


@contextmanager
def kept(*holders: Any, device: bool = False) -> Iterator[None]:
    """Restore random states and global switches on exit, also after an exception.

    The random states are the global ones of Python, NumPy and torch, and those of the generators
    found in the holders, their samplers, data sets and transforms.

    Args:
        holders: Loaders, data modules.
        device: Whether a GPU may be used, even if it has not been before.
    """
    restorers = [*_globals(device), *map(_restorer, _generators(list(holders)))]
    try:
        yield
    finally:
        for restore in restorers:
            restore()


def _globals(device: bool) -> Iterator[Callable[[], Any]]:
    yield partial(random.setstate, random.getstate())
    yield partial(np.random.set_state, np.random.get_state())
    yield partial(torch.set_rng_state, torch.get_rng_state())
    # Querying the state of devices that are not in use yet would initialise them.
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    if torch.cuda.is_available() and (device or in_use):
        yield partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    other = torch.accelerator.current_accelerator(check_available=True)
    if device and other is not None and other.type != "cuda":
        state = random_state(other)
        if state is not None:
            yield partial(set_random_state, other, state)
    cudnn = torch.backends.cudnn
    yield partial(setattr, cudnn, "benchmark", cudnn.benchmark)
    yield partial(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
    if threading.current_thread() is threading.main_thread():
        # Lightning ignores Ctrl-C from the first one on.
        yield partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))


def _restorer(generator: _Generator) -> Callable[[], Any]:
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return partial(setattr, bits, "state", copy.deepcopy(bits.state))
    restore: Any = generator.set_state
    return partial(restore, generator.get_state())


def _generators(holders: list[Any]) -> Iterator[_Generator]:
    """Find the generators that objects refer to, level by level."""
    seen, level = set[int](), holders
    for _ in range(_MAX_LEVELS):
        new = {id(part): part for part in level if id(part) not in seen}
        seen |= new.keys()
        yield from (part for part in new.values() if isinstance(part, _Generator))
        level = [part for holder in new.values() for part in _parts(holder)]


def _parts(holder: Any) -> list[Any]:
    if isinstance(holder, Tensor | ModuleType | type):
        return []
    if isinstance(holder, Mapping | list | tuple):
        parts = holder.values() if isinstance(holder, Mapping) else holder
        return list(parts) if len(holder) <= _MAX_PARTS else []  # Not the samples themselves.
    return list(getattr(holder, "__dict__", {}).values())


def copy_loaders(loaders: Any) -> Any:
    """Copy loaders, which share their data but not their worker processes."""
    return tree_map(lambda x: copy.copy(x) if isinstance(x, DataLoader) else x, loaders)
