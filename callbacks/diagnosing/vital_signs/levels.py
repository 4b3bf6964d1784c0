"""Levels by which several rules judge."""

# Validation checks in a row that must agree.
RECENT_CHECKS = 3


class Gain:
    """Shares taken off the loss of the best constant prediction (the constant baseline)."""

    HARDLY_ANY = 0.1
    SOME = 0.2
    LITTLE = 0.3
    GOOD = 0.5
    VERY_GOOD = 0.7
    HARMLESS = 0.8
    EXCELLENT = 0.9


class UpdateRatio:
    """Lengths of a step over that of the weights."""

    TINY = 1e-4
    SMALL = 2e-4
    USUAL = 1e-3
    LARGE = 1e-2
    HUGE = 1e-1  # The limit of TheDeepChecker.
