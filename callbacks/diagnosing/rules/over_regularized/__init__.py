"""Regularisation that outweighs the data.

A penalty that is most of the loss, weight decay that outweighs the gradients, or dropout so high
that the training loss stays far above that of validation, where dropout is off. Or a term beside
the data loss that leaves representations without information.
"""

from .rule import examine

__all__ = ["examine"]
