"""When each optimiser reports."""

from collections.abc import Mapping
from typing import Any

from ..guard import warn_on_rank_zero


class ReportClock:
    """Let each optimiser report in its first step at or after each multiple of an interval.

    Under manual optimisation, an optimiser may step in some batches only, not necessarily in those
    in which a report is due.

    Example:
        >>> clock = ReportClock()
        >>> clock.start(0)
        >>> [clock.is_due(0, step, 50) for step in (48, 49, 52)]
        [False, True, True]
        >>> clock.count(0, 52)
        >>> [clock.is_due(0, step, 50) for step in (56, 98, 99)]
        [False, False, True]
    """

    def __init__(self) -> None:
        self._begins: int | None = None
        self._done: dict[int, int] = {}

    def start(self, step: int) -> None:
        """Set the step at which training begins, unless it was restored."""
        if self._begins is None:
            self._begins = step

    def is_due(self, position: int, step: int, interval: int) -> bool:
        """Whether an optimiser's report is due.

        Args:
            position: Position of the optimiser.
            step: Steps done before this one, on the loggers' axis.
            interval: Steps between reports.
        """
        done = self._done.get(position, self._begins or 0)
        return (step + 1) // interval > done // interval

    def count(self, position: int, step: int) -> None:
        """Record that an optimiser has reported."""
        self._done[position] = step + 1

    def say_if_all_was_missed(self, monitor: str, steps: int, interval: int) -> None:
        """Warn if reports were due in the steps done, but no optimiser made any."""
        if not self._done and steps // interval > (self._begins or 0) // interval:
            warn_on_rank_zero(
                f"{monitor} has nothing to report for this fit: Lightning saw no optimiser step "
                "with gradients. Under manual optimisation, call `step` on what "
                "`self.optimizers()` returns, not on the `optimizer` that it wraps."
            )

    def state_dict(self) -> dict[str, Any]:
        """When training began, and when each optimiser reported."""
        return {"begins": self._begins, "done": dict(self._done)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a saved clock."""
        self._begins, self._done = state_dict["begins"], dict(state_dict["done"])
