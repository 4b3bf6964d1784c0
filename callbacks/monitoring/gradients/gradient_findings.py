"""Findings from gradient norms: vanishing, exploding, not finite."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer

from ....functional.gradient_flow import exploding_from, not_finite_from, vanishing_from
from ....functional.running_moments import RunningMoments
from ..recording.loggers import logger_step
from ..recording.reporter import Reporter
from ..streaks import Streaks

# A loss scale finds its level within fewer than ten consecutive reports of skipped steps.
_MAX_SKIPPED = 10
# A single batch, a warm-up or leaving a plateau raises the norm ten- to thirtyfold.
_MIN_RATIO_OF_EXPLOSION = 100.0
_MIN_REPORTS = 10
# A head initialised with zeros passes no gradient back in its first steps.
_MIN_STEPS = 20


class GradientFindings:
    """Evaluate each report of gradient norms, and report each established finding once.

    Args:
        reporter: Reports the findings.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._moments: dict[int, RunningMoments] = {}
        self._streaks, self._vanishing = Streaks(), Streaks(span=_MIN_STEPS)
        self._skipped = Streaks(_MAX_SKIPPED)

    def moments(self, position: int) -> RunningMoments:
        """Running moments of the total norm of one optimiser, excluding explosions."""
        return self._moments.setdefault(position, RunningMoments())

    def count_skipped(self, trainer: Trainer, skipped: bool) -> None:
        """Count consecutive reports of steps that mixed precision skips."""
        if self._skipped.established("skipped", skipped):
            text = f"The gradients of {_MAX_SKIPPED} reported steps in a row are not finite."
            self._reporter.find(trainer, "non_finite", text)

    def look(
        self,
        trainer: Trainer,
        position: int,
        norms: Mapping[str, float],
        total: float,
        profile: Mapping[str, float],
    ) -> None:
        """Evaluate one report.

        Args:
            trainer: The Trainer.
            position: Position of the optimiser.
            norms: Norm by layer, from input to output.
            total: Norm over all layers.
            profile: Norm per parameter of the weight layers, from input to output.
        """
        bad = not_finite_from(list(norms.values()))
        if bad is not None:
            layer = list(norms)[bad]
            text = f"The gradient of {layer} is not finite, the first in the backward pass."
            self._reporter.find(trainer, f"non_finite_{position}", text)
        self._look_at_total(trainer, position, total)
        levels = list(profile.values())
        self._look_at_profile(trainer, position, profile, "vanish", vanishing_from(levels))
        self._look_at_profile(trainer, position, profile, "explode", exploding_from(levels))

    def _look_at_total(self, trainer: Trainer, position: int, total: float) -> None:
        moments = self.moments(position)
        exploded = moments.count >= _MIN_REPORTS and total > _MIN_RATIO_OF_EXPLOSION * moments.mean
        if self._streaks.established(f"growth_{position}", exploded):
            text = (
                f"Gradients explode: the total norm, {total:.2g}, has been more than "
                f"{_MIN_RATIO_OF_EXPLOSION:g} times its running mean, {moments.mean:.2g}, for "
                f"{self._streaks.needed} reports."
            )
            self._reporter.find(trainer, f"growth_{position}", text)
        if not exploded:
            moments.add(total)

    def _look_at_profile(
        self,
        trainer: Trainer,
        position: int,
        profile: Mapping[str, float],
        verb: str,
        begins: int | None,
    ) -> None:
        key = f"{verb}_{position}"
        streaks = self._vanishing if verb == "vanish" else self._streaks
        if not streaks.established(key, begins is not None, logger_step(trainer)):
            return
        layers = list(profile)
        first, last = layers[0 if verb == "vanish" else 1], layers[-1]
        text = (
            f"Gradients {verb} from {layers[begins or 0]} towards the input: the gradient per "
            f"parameter of {first} is {profile[first] / profile[last]:.1e} times that of {last}."
        )
        self._reporter.find(trainer, key, text)

    def state_dict(self) -> dict[str, Any]:
        """Moments and streaks."""
        return {
            "moments": {position: dict(vars(m)) for position, m in self._moments.items()},
            "streaks": self._streaks.state_dict(),
            "vanishing": self._vanishing.state_dict(),
            "skipped": self._skipped.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore saved moments and streaks."""
        self._moments = {i: RunningMoments(**m) for i, m in state_dict["moments"].items()}
        self._streaks.load_state_dict(state_dict["streaks"])
        self._vanishing.load_state_dict(state_dict["vanishing"])
        self._skipped.load_state_dict(state_dict["skipped"])
