"""Steps so small that the loss hardly falls.

An update ratio far below 1e-4 alone is not a fault: it is usual late in a schedule, or when all is
learned. The loss must fall steadily and yet have come down by almost nothing, or still fall as fast
as ever near the end with little learned. Or all steps together hardly move the weights, or a
schedule does not fit the planned steps.
"""

from .rule import examine

__all__ = ["examine"]
