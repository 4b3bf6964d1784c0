"""Vital signs for neural-network training, as PyTorch Lightning components.

The components are in the sub-packages :mod:`torchvitals.callbacks`,
:mod:`torchvitals.lightning_modules`, :mod:`torchvitals.datamodules` and
:mod:`torchvitals.functional`. All that the first three offer can be imported from here, too, as in
``from torchvitals import TrainingDoctor``; only then are they imported themselves.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .callbacks import *  # noqa: F403
    from .datamodules import *  # noqa: F403
    from .lightning_modules import *  # noqa: F403

__version__ = version("torchvitals")
__all__ = ["__version__"]

_PACKAGES = ("callbacks", "lightning_modules", "datamodules")


def __getattr__(name: str) -> Any:
    # Python asks for a sub-package here before it imports it, and for names of its own.
    is_offered = name not in (*_PACKAGES, "functional") and not name.startswith("_")
    for package in _PACKAGES if is_offered else ():
        offered = import_module(f".{package}", __name__)
        if name in offered.__all__:
            return getattr(offered, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
