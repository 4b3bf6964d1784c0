"""Which signs of steps that are too small are looked for, and in which order."""

from ...symptom import Finding
from ...vital_signs.vitals import Vitals
from .schedules import find_early_end, find_endless_warm_up, find_unfinished_schedule
from .small_steps import find_crawling, find_motionless, find_unhurried


def examine(vitals: Vitals) -> Finding | None:
    """Find a schedule that will not reach its peak, or a loss that hardly falls."""
    found = (
        find_unfinished_schedule(vitals) or find_endless_warm_up(vitals) or find_motionless(vitals)
    )
    return found or find_crawling(vitals) or find_early_end(vitals) or find_unhurried(vitals)
