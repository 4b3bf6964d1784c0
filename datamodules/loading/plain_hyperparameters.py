"""The arguments of a data module that its checkpoints hold."""

import copy
import inspect
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule

from ...functional.arguments import plain_value

_PLAIN = (bool, int, float, str, type(None))


def keep_plain_hyperparameters(module: LightningDataModule, base: type) -> None:
    """Leave what a checkpoint can hold: NumPy's numbers and paths as Python's own and as strings.

    What a subclass got as arguments of its own may be the data, which would be copied into each
    checkpoint, and might keep it from loading with ``weights_only=True``: it is left out.

    Args:
        module: Data module that has saved its hyperparameters.
        base: This package's class, whose own arguments are all kept.
    """
    own = inspect.signature(base).parameters
    for name, value in plain_value(dict(module.hparams)).items():
        module.hparams[name] = str(value) if isinstance(value, Path) else value
        if name not in own and not _is_plain(module.hparams[name]):
            del module.hparams[name]
    # What loggers get, which would otherwise be a copy of the data.
    module._hparams_initial = copy.deepcopy(module.hparams)  # type: ignore[attr-defined]


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, [*value.keys(), *value.values()]))
    return all(map(_is_plain, value)) if type(value) in (list, tuple) else type(value) in _PLAIN
