"""What one rank contributes when all ranks exchange data."""

from dataclasses import dataclass

from .observation import News
from .validation import Check


@dataclass(frozen=True)
class RankNews:
    """What the doctor of one rank contributes to a report.

    Attributes:
        seen: What was observed since the previous report.
        check: Loss and score of validation.
        failed: For each monitor, whether it switched itself off.
    """

    seen: News
    check: Check
    failed: tuple[bool, ...]
