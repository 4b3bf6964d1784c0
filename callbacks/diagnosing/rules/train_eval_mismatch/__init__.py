"""A network that behaves differently in evaluation than in training.

BatchNorm uses the batch's own statistics in training and running statistics in evaluation. Where
batches are tiny or the running statistics are stale, the two disagree. A batch of one has no
variance. Or the inputs themselves are prepared differently.
"""

from .rule import examine

__all__ = ["examine"]
