"""When the doctor samples, and when it reports."""

import math
from collections.abc import Mapping
from typing import Any

_FIRST_STEPS = 5
_REPORTS_IN_A_TRAINING = 40
_REPORTS_IN_A_LONG_TRAINING = 200
# Optimiser steps between two reports.
_MIN_INTERVAL = 5
_SHORT_INTERVAL = 25
_LONG_INTERVAL = 50
_MAX_INTERVAL = 200
_LOOKS_IF_SHORT = 5
_LOOKS_IF_LONGER = 2
_INTERVALS_OF_A_WINDOW = 4
_BATCHES_TO_SEE_A_UNIT = 50
# For training runs of unknown length: each interval divides the step at which it begins.
_GROWING_INTERVALS = (10, 20, 50, 100, 200)
_REPORTS_IN_STEPS_DONE = 20


class Schedule:
    """Determine which steps are sampled, and after which the doctor reports.

    The first five steps are all sampled, since a learning rate that is too high shows in them.
    After that, everything is sampled in the last step before a report, and the loss also between
    reports: five times in a short interval, twice in a longer one, four times in a long one. In a
    long training run, reports are rarer than samples, because each processes all losses so far.

    Args:
        every_n_steps: Optimiser steps between two reports; None uses a fortieth of the training
            run, or a twentieth of the steps done if its length is unknown, from 5 to 200, and from
            step 40,000 on a two-hundredth of the steps done.

    Attributes:
        interval: Optimiser steps between two reports.
    """

    def __init__(self, every_n_steps: int | None) -> None:
        self._given = every_n_steps
        self.interval = every_n_steps or _MAX_INTERVAL
        self._reported = 0
        self._has_begun = self._grows = False

    def plan(self, step: int, planned_steps: float, *, resumed: bool = False) -> None:
        """Set the interval for a fit that begins.

        Args:
            step: Steps done.
            planned_steps: Planned steps of the run; infinite if unknown.
            resumed: Whether it continues from a saved state, and with it from the last report.
        """
        share = int(min(_MAX_INTERVAL, max(_MIN_INTERVAL, planned_steps / _REPORTS_IN_A_TRAINING)))
        self._grows = self._given is None and math.isinf(planned_steps)
        self.interval = self._given or share
        if not resumed:
            self._reported = step
        self.grow(step)

    def grow(self, step: int) -> bool:
        """Lengthen the interval with the steps done, if the length of the run is unknown.

        Returns:
            Whether the interval has changed.
        """
        if not self._grows:
            return False
        before = self.interval
        share = step // _REPORTS_IN_STEPS_DONE
        reached = (interval for interval in _GROWING_INTERVALS if interval <= share)
        self.interval = max(reached, default=_MIN_INTERVAL)
        return self.interval != before

    def is_first(self, step: int) -> bool:
        """Whether so few steps are done that each one is sampled."""
        return step < _FIRST_STEPS

    def is_watched(self, step: int) -> bool:
        """Whether everything is sampled in the step after that many."""
        return self.is_first(step) or self._ends_interval(step)

    def is_read(self, step: int) -> bool:
        """Whether the loss is sampled in the step after that many, the first steps aside."""
        looks = _LOOKS_IF_SHORT if self.interval < _SHORT_INTERVAL else _LOOKS_IF_LONGER
        looks *= 1 + (self.interval > _LONG_INTERVAL)
        return self._ends_interval(step) or step % max(1, self.interval // looks) == 0

    def unit_window(self, batches_per_epoch: float) -> tuple[int | None, int]:
        """Return the length of the window for dead units, and the stride of its sampled batches.

        A unit that is active too seldom to show in fifty batches contributes next to nothing.

        Args:
            batches_per_epoch: Batches per epoch; infinite if unknown.

        Returns:
            The length in steps (None for an epoch), and of how many batches one is sampled.
        """
        steps = _INTERVALS_OF_A_WINDOW * self.interval
        stride = max(1, int(min(steps, batches_per_epoch)) // _BATCHES_TO_SEE_A_UNIT)
        return (steps if batches_per_epoch > steps else None), stride

    def _ends_interval(self, step: int) -> bool:
        return (step + 1) % self.interval == 0

    def pace(self, step: int) -> int:
        """Return the number of steps between two reports of the monitors."""
        return 1 if self.is_first(step) else self.interval

    def begins(self, step: int) -> bool:
        """Whether the first step is about to be made; True only once."""
        if step > 0 or self._has_begun:
            return False
        self._has_begun = True
        return True

    def reports(self, step: int) -> bool:
        """Whether a report is due; True only once for each.

        With several optimisers the count skips steps; with accumulation it repeats them.
        """
        if step // self.interval <= self._reported // self.interval:
            return False
        if self._given is None and _REPORTS_IN_A_LONG_TRAINING * (step - self._reported) < step:
            return False
        self._reported = step
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the interval, and which reports were made."""
        return {
            "interval": self.interval,
            "reported": self._reported,
            "looked_first": self._has_begun,
            "grows": self._grows,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.interval, self._reported = state_dict["interval"], state_dict["reported"]
        self._has_begun = state_dict["looked_first"]
        self._grows = state_dict.get("grows", False)
