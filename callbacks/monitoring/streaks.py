"""Conditions that must hold for a while before they are reported."""

from collections.abc import Mapping


class Streaks:
    """Count for how many consecutive reports each of several conditions has held.

    Args:
        needed: Consecutive reports after which a condition counts as established.
        span: Minimum number of steps from the first of these reports to the last.

    Example:
        >>> streaks = Streaks(needed=2)
        >>> streaks.established("dead", True), streaks.established("dead", True)
        (False, True)
    """

    def __init__(self, needed: int = 3, span: int = 0) -> None:
        self.needed = needed
        self.span = span
        self._lengths: dict[str, int] = {}
        self._begins: dict[str, int] = {}

    def established(self, key: str, holds: bool, step: int = 0) -> bool:
        """Count this report, and return whether the condition has held long enough."""
        length = self._lengths[key] = self._lengths.get(key, 0) + 1 if holds else 0
        if length <= 1:
            self._begins[key] = step
        return length >= self.needed and step - self._begins[key] >= self.span

    def state_dict(self) -> dict[str, dict[str, int]]:
        """Length of each streak, and the step of its first report."""
        return {"lengths": dict(self._lengths), "begins": dict(self._begins)}

    def load_state_dict(self, state_dict: Mapping[str, Mapping[str, int]]) -> None:
        """Restore saved streaks."""
        self._lengths = dict(state_dict["lengths"])
        self._begins = dict(state_dict["begins"])
