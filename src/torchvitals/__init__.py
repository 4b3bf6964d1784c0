"""Vital signs for neural-network training, as PyTorch Lightning components.

The components are in the sub-packages :mod:`torchvitals.callbacks`,
:mod:`torchvitals.lightning_modules`, :mod:`torchvitals.datamodules` and
:mod:`torchvitals.functional`.
"""

from importlib.metadata import version

__version__ = version("torchvitals")
__all__ = ["__version__"]
