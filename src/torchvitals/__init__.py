"""Vital signs for neural-network training, as PyTorch Lightning components.

The components are in the sub-packages :mod:`torchvitals.callbacks`,
:mod:`torchvitals.lightning_modules`, :mod:`torchvitals.datamodules` and
:mod:`torchvitals.functional`. The classes of the first three can be imported from here, too, as in
``from torchvitals import TrainingDoctor``; only then are their packages imported.
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
    packages = _PACKAGES if name[:1].isupper() else ()
    for package in (import_module(f".{package}", __name__) for package in packages):
        if name in package.__all__:
            return getattr(package, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
