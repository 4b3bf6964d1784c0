"""What one rank brings to a meeting of all of them."""

from dataclasses import dataclass

from .observation import News
from .validation import Check


@dataclass(frozen=True)
class RankNews:
    """What the doctor of one rank brings to a report.

    Attributes:
        seen: What was seen since the report before.
        check: The validation's loss and score.
        failed: For each monitor, whether it switched itself off.
    """

    seen: News
    check: Check
    failed: tuple[bool, ...]
