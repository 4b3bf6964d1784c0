"""Layers that are meant to train, but do not.

Weights that require no gradient were frozen on purpose and are not reported, unless they were never
trained: a backbone frozen at its random initialisation was meant to have its weights loaded. A
layer that runs and requires a gradient, but gets none (`detach`, `no_grad`, a round trip through
NumPy), or gets one but is in no optimiser, was forgotten. So was an embedding in no optimiser.
"""

from .rule import examine

__all__ = ["examine"]
