"""What must hold for a while before it is said."""

from collections.abc import Mapping


class Streaks:
    """Count for how many reports in a row each of several things has held.

    Args:
        needed: Reports in a row after which a thing counts as established.

    Example:
        >>> streaks = Streaks(needed=2)
        >>> streaks.established("dead", True), streaks.established("dead", True)
        (False, True)
    """

    def __init__(self, needed: int = 3) -> None:
        self.needed = needed
        self._lengths: dict[str, int] = {}

    def established(self, key: str, holds: bool) -> bool:
        """Count this report; whether the thing has held long enough."""
        self._lengths[key] = self._lengths.get(key, 0) + 1 if holds else 0
        return self._lengths[key] >= self.needed

    def state_dict(self) -> dict[str, int]:
        """Length of each streak."""
        return dict(self._lengths)

    def load_state_dict(self, state_dict: Mapping[str, int]) -> None:
        """Take up saved streaks."""
        self._lengths = dict(state_dict)
