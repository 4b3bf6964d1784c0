"""Which sites are reported as mostly dead."""

from collections.abc import Iterable, Mapping
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from ..recording.reporter import Reporter
from .unit_masks import count_units

_LEAST_STEPS = 100


class DeadFindings:
    """Report sites that are mostly dead over an epoch, or over enough shorter windows.

    A unit that is active for few inputs is alive, but seems dead in a window with few inputs.

    Args:
        reporter: Reports the findings, once per site.

    Attributes:
        steps: Optimiser steps in the windows added since the last evaluation.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._active: dict[str, Tensor] = {}
        self.steps = 0

    def look(self, trainer: Trainer, active: Mapping[str, Tensor], *, of_epoch: bool) -> None:
        """Add a window, and evaluate once enough were added.

        Args:
            trainer: The Trainer.
            active: Mask of the window's active units by site.
            of_epoch: Whether the window is an epoch, and not a number of steps.
        """
        for site, mask in active.items():
            known = self._active.get(site, mask)
            self._active[site] = mask | known if known.shape == mask.shape else mask
        if of_epoch or self.steps >= _LEAST_STEPS:
            active, self._active, self.steps = self._active, {}, 0
            self._judge(trainer, active)

    def forget(self, sites: Iterable[str]) -> None:
        """Discard the masks of sites that turned out to have no units."""
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
                    "input in the window activated them."
                )
        self._reporter.find_all(trainer, found)

    def state_dict(self) -> dict[str, Any]:
        """Masks and steps since the last evaluation."""
        return {"active": dict(self._active), "steps": self.steps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore saved masks and steps."""
        self._active, self.steps = dict(state_dict["active"]), state_dict["steps"]
