"""When the doctor looks, and when it reports."""

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
# Of a training whose length is unknown: each divides the steps at which it begins.
_GROWING_INTERVALS = (10, 20, 50, 100, 200)
_REPORTS_IN_STEPS_DONE = 20


class Schedule:
    """Which steps are looked at, and after which the doctor reports.

    All of the first five steps are looked at: they are those that a too high rate shows in.
    After them everything is looked at in the last step before a report, and the loss alone
    between reports, too: in every fifth of a short interval, in the half of a longer one, in
    the quarter of a long one. In a long training reports come less often than looks: one goes
    through all losses so far.

    Args:
        every_n_steps: Optimiser steps between two reports; None takes a fortieth of the
            training, or a twentieth of the steps done where its length is unknown, from 5 to 200,
            and from step 40,000 on a two-hundredth of the steps done.

    Attributes:
        interval: Optimiser steps between two reports.
    """

    def __init__(self, every_n_steps: int | None) -> None:
        self._given = every_n_steps
        self.interval = every_n_steps or _MAX_INTERVAL
        self._reported = 0
        self._has_begun = self._grows = False

    def plan(self, step: int, planned_steps: float) -> None:
        """Set the interval for a training that begins.

        Args:
            step: Steps done.
            planned_steps: Steps that the training is to have; infinite if unknown.
        """
        share = int(min(_MAX_INTERVAL, max(_MIN_INTERVAL, planned_steps / _REPORTS_IN_A_TRAINING)))
        self._grows = self._given is None and math.isinf(planned_steps)
        self.interval, self._reported = self._given or share, step
        self.grow(step)

    def grow(self, step: int) -> bool:
        """Go on to the interval that so many steps deserve where nobody knows how many come.

        Returns:
            Whether it is another one.
        """
        if not self._grows:
            return False
        before = self.interval
        share = step // _REPORTS_IN_STEPS_DONE
        reached = (interval for interval in _GROWING_INTERVALS if interval <= share)
        self.interval = max(reached, default=_MIN_INTERVAL)
        return self.interval != before

    def is_first(self, step: int) -> bool:
        """Whether so few steps are done that each is looked at."""
        return step < _FIRST_STEPS

    def is_watched(self, step: int) -> bool:
        """Whether everything is looked at in the step after so many."""
        return self.is_first(step) or self._ends_interval(step)

    def is_read(self, step: int) -> bool:
        """Whether the loss is looked at in the step after so many, first or not."""
        looks = _LOOKS_IF_SHORT if self.interval < _SHORT_INTERVAL else _LOOKS_IF_LONGER
        looks *= 1 + (self.interval > _LONG_INTERVAL)
        return self._ends_interval(step) or step % max(1, self.interval // looks) == 0

    def unit_window(self, batches_per_epoch: float) -> tuple[int | None, int]:
        """Steps of a window in which units are dead, None for an epoch, and which batches count.

        A unit that is active too seldom to be seen in fifty batches does next to nothing.

        Args:
            batches_per_epoch: Infinite if unknown.

        Returns:
            The steps, and of how many batches one is looked at.
        """
        steps = _INTERVALS_OF_A_WINDOW * self.interval
        stride = max(1, int(min(steps, batches_per_epoch)) // _BATCHES_TO_SEE_A_UNIT)
        return (steps if batches_per_epoch > steps else None), stride

    def _ends_interval(self, step: int) -> bool:
        return (step + 1) % self.interval == 0

    def pace(self, step: int) -> int:
        """Steps between two reports of the monitors."""
        return 1 if self.is_first(step) else self.interval

    def begins(self, step: int) -> bool:
        """Whether the first step is to be made; True only once."""
        if step > 0 or self._has_begun:
            return False
        self._has_begun = True
        return True

    def reports(self, step: int) -> bool:
        """Whether it is time for a report; True only once.

        Several optimisers pass over steps, and accumulation stays at one.
        """
        if step // self.interval <= self._reported // self.interval:
            return False
        if self._given is None and _REPORTS_IN_A_LONG_TRAINING * (step - self._reported) < step:
            return False
        self._reported = step
        return True

    def state_dict(self) -> dict[str, Any]:
        """The interval, and what was reported."""
        return {
            "interval": self.interval,
            "reported": self._reported,
            "looked_first": self._has_begun,
            "grows": self._grows,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.interval, self._reported = state_dict["interval"], state_dict["reported"]
        self._has_begun = state_dict["looked_first"]
        self._grows = state_dict.get("grows", False)
