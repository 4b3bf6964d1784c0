"""Which sites are said to be mostly dead."""

from collections.abc import Iterable, Mapping
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from ..recording.reporter import Reporter
from .unit_masks import count_units

_LEAST_STEPS = 100


class DeadFindings:
    """Say which sites are mostly dead over an epoch, or over enough windows that are shorter.

    A unit that is active for few inputs is alive, and seems dead in a window of few.

    Args:
        reporter: Says what is found, once for each site.

    Attributes:
        steps: Optimiser steps in the windows that were taken up since the last judgement.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._active: dict[str, Tensor] = {}
        self.steps = 0

    def look(self, trainer: Trainer, active: Mapping[str, Tensor], *, of_epoch: bool) -> None:
        """Take up a window.

        Args:
            trainer: The Trainer.
            active: Mask of its active units by site.
            of_epoch: Whether it is an epoch, and not so many steps.
        """
        for site, mask in active.items():
            known = self._active.get(site, mask)
            self._active[site] = mask | known if known.shape == mask.shape else mask
        if of_epoch or self.steps >= _LEAST_STEPS:
            active, self._active, self.steps = self._active, {}, 0
            self._judge(trainer, active)

    def forget(self, sites: Iterable[str]) -> None:
        """Leave out what was taken up of sites that turned out to have no units."""
        for site in sites:
            self._active.pop(site, None)

    def _judge(self, trainer: Trainer, active: Mapping[str, Tensor]) -> None:
        found = {}
        for site, alive in count_units(active).items():
            units = active[site].numel()
            dead = units - alive
            if dead > 0.5 * units:
                found[f"dead:{site}"] = (
                    f"{dead} of {units} units of {site} ({dead / units:.0%}) are dead: no training "
                    "input of the window made them active."
                )
        self._reporter.find_all(trainer, found)

    def state_dict(self) -> dict[str, Any]:
        """What was taken up since the last judgement."""
        return {"active": dict(self._active), "steps": self.steps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._active, self.steps = dict(state_dict["active"]), state_dict["steps"]
