"""Labels that have nothing to do with the inputs.

All of them, a good part of them, or those of the training data alone, as where an augmentation
moves the inputs and not their labels.
"""

from .rule import examine

__all__ = ["examine"]
