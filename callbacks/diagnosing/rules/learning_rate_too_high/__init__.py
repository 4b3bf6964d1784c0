"""Steps so large that they undo what was learned.

The ratio of a step to the weights is about 1e-3 in healthy runs (cs231n); TheDeepChecker's limit is
1e-1. A large ratio alone is not a fault (first steps and small networks have one), nor is a loss
that rises for a while; large steps with a rising loss, or with one far above its best, are.
"""

from .rule import examine

__all__ = ["examine"]
