"""What must hold for a while before it is said."""

from collections.abc import Mapping


class Streaks:
    """Count for how many reports in a row each of several things has held.

    Args:
        needed: Reports in a row after which a thing counts as established.
        span: Steps from the first of them to the last, at least.

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
        """Count this report; whether the thing has held long enough."""
        length = self._lengths[key] = self._lengths.get(key, 0) + 1 if holds else 0
        if length <= 1:
            self._begins[key] = step
        return length >= self.needed and step - self._begins[key] >= self.span

    def state_dict(self) -> dict[str, dict[str, int]]:
        """Length of each streak, and the step of its first report."""
        return {"lengths": dict(self._lengths), "begins": dict(self._begins)}

    def load_state_dict(self, state_dict: Mapping[str, Mapping[str, int]]) -> None:
        """Take up saved streaks."""
        self._lengths = dict(state_dict["lengths"])
        self._begins = dict(state_dict["begins"])
