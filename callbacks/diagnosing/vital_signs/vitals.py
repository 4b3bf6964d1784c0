"""The vital signs of a training: all that the rules read."""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ....functional.gradient_flow import vanishing_from
from .signs import NAN, Layer, share_of
from .validation_signs import ValidationSigns

_FEWEST_STEPS = 30
_STEPS_OF_A_SLOW_START = 1000
_LAST_CHECKS = 3
_MIN_FALL_SHARE_WHEN_LEAVING = 0.01
_MAX_DIMENSIONS_OF_A_TABLE = 2

_MIN_RATIO_TO_USUAL_LOSS = 4.0
_MIN_RATIO_TO_USUAL_LOSS_IF_LOUD = 3.0  # With a last layer that was initialised far too large.
_RECENT_LOOKS = 3
_MIN_LOOKS = 10
# Equal rows of a matrix product may differ in their last digits.
_MAX_RANGE_OF_ONE_PREDICTION = 1e-5

_TINY_ROOT_MEAN_SQUARE = 1e-3
_SMALL_ROOT_MEAN_SQUARE = 1e-2

_MIN_PULLS = 3
_FAINT_WEIGHT_GAIN = 0.03
LOUD = 4.0
_MIN_SHARE_OF_WEIGHTS = 0.75
_MIN_SHARE_KEPT = 0.5

_REPORTS_OF_SILENCE = 3
# Where signals have shrunk to nothing, about half of the units are dead, by the sign of their bias.
_MAX_SHARE_DEAD = 0.75
_MAX_VARIANCE_OF_STUCK_SIGMOIDS = 0.03
_MAX_VARIANCE_OF_SIGMOIDS = 0.25


@dataclass
class Vitals(ValidationSigns):
    """Vital signs observed up to one moment, and quantities derived from them.

    Its bases have what was observed (`ObservedSigns`) and what is derived from the losses of
    training (`LossSigns`) and from validation (`ValidationSigns`). Here are steps, outputs and
    labels, inputs, weights and units. Derived quantities are cached, so each report takes a copy.
    """

    @property
    def had_a_chance(self) -> bool:
        """Whether enough steps were done to expect any progress."""
        return self.step >= max(_FEWEST_STEPS, min(200, self.planned_steps / 10))

    @property
    def had_a_long_chance(self) -> bool:
        """Whether even a training that starts on a plateau should have left it by now."""
        return self._is_long(self.step)

    @property
    def is_past_half(self) -> bool:
        """The same, with half of the planned steps done."""
        return self.had_a_long_chance and self.step >= self.planned_steps / 2

    @property
    def had_a_long_chance_at_full_rate(self) -> bool:
        """Whether the same holds for the steps since the warm-up ended."""
        return self._is_long(self.step - self.rate_rose)

    def _is_long(self, steps: int) -> bool:
        least = max(_FEWEST_STEPS, min(100, 0.75 * self.planned_steps))
        return steps >= max(least, min(500, self.planned_steps / 4))

    @property
    def would_have_started(self) -> bool:
        """Whether a slow start would have ended by now."""
        half, checks = self.planned_steps / 2, self.validation_losses[-_LAST_CHECKS:]
        if (
            self.objective.of_inputs
            or len(self.objective.target_shape) > _MAX_DIMENSIONS_OF_A_TABLE
        ):
            # Image generators, like autoencoders, stay at the mean of their targets for long.
            falls = len(checks) == _LAST_CHECKS and all(b < a for a, b in pairwise(checks))
            leaves = falls and checks[-1] < (1 - _MIN_FALL_SHARE_WHEN_LEAVING) * checks[0]
            return self.step > min(half, _STEPS_OF_A_SLOW_START) and not leaves
        # Without the constant baseline, a slow start looks like no learning.
        return not math.isnan(self.objective.constant_loss) or self.step > half

    def rate_as_code(self, factor: float) -> str:
        """Format a multiple of the highest learning rate as an argument; empty if unknown."""
        rate = self.learning_rate_peak * factor
        return f"lr={rate:.3g}" if math.isfinite(rate) else ""

    @property
    def usual_gradient(self) -> float:
        """Median over the reports of the norm of all gradients, before clipping; NaN if unknown."""
        known = [norm for norm in self.total_gradients if math.isfinite(norm)]
        return statistics.median(known) if known else NAN

    @property
    def left_by_clipping(self) -> float:
        """Share of the usual gradient that clipping leaves."""
        usual = self.usual_gradient
        return self.clip_norm / usual if self.clip_norm < usual else 1.0

    @property
    def starts_far(self) -> bool:
        """Whether the first loss is far above that of uniform predictions, ln C.

        False for unnormalised inputs, which are a cause of their own, and for a contrastive loss,
        whose temperature and number of terms decide where it starts.
        """
        objective = self.objective
        known = objective.usual_loss > 0 and self.data_losses and not self.missed
        if not known or objective.of_positions:
            return False
        # Class weights raise the loss of the best constant prediction.
        usual = max(objective.usual_loss, objective.constant_loss)
        is_loud = any(layer.is_last and layer.weight_gain > LOUD for layer in self.layers)
        times = _MIN_RATIO_TO_USUAL_LOSS_IF_LOUD if is_loud else _MIN_RATIO_TO_USUAL_LOSS
        return self.first_data_loss > times * usual and not self.has_raw_inputs

    @cached_property
    def training_accuracy(self) -> float:
        """Recent accuracy, if samples have one label each; NaN if few batches were inspected."""
        recent = self.accuracies[-max(_MIN_LOOKS, len(self.accuracies) // 5) :]
        known = self.labels_samples and len(recent) >= _MIN_LOOKS
        return statistics.fmean(recent) if known else NAN

    @property
    def confirmed_training_accuracy(self) -> float:
        """The training accuracy, at most the logged `training_score`.

        The latter may measure something other than the outputs that the loss gets: whole
        sentences, or the spikes that follow from potentials.
        """
        logged = self.training_score
        return min(self.training_accuracy, logged if math.isfinite(logged) else math.inf)

    @property
    def ignores_inputs(self) -> bool:
        """Whether all samples of each recently inspected batch got the same prediction."""
        recent, variance = self.prediction_ranges[-_RECENT_LOOKS:], self.objective.target_variance
        size = math.sqrt(variance) if variance > 0 else 1.0
        return len(recent) == _RECENT_LOOKS and max(recent) < _MAX_RANGE_OF_ONE_PREDICTION * size

    @property
    def labels_samples(self) -> bool:
        """Whether each sample has one label, rather than each of its words or pixels."""
        return not self.inputs.sizes or self.objective.labels in self.inputs.sizes

    @property
    def is_imbalanced(self) -> bool:
        """Whether one class has at least ten times as many samples as another."""
        present = [count for count in self.objective.target_counts if count > 0]
        return len(present) > 1 and max(present) >= 10 * min(present)

    @property
    def has_raw_inputs(self) -> bool:
        """Whether inputs are so large that their effects are not due to the weights."""
        return self.inputs.level > 10 or any(side.is_raw for side in self.side_inputs.values())

    @property
    def has_faint_inputs(self) -> bool:
        """Whether the first layer's input is close to 0.

        The threshold is higher if nothing is learned.
        """
        least = (
            _SMALL_ROOT_MEAN_SQUARE
            if self.had_a_chance and not self.has_learned
            else _TINY_ROOT_MEAN_SQUARE
        )
        return 0 < self.inputs.rms < least

    @property
    def faint_units(self) -> str:
        """Name of a custom module whose units hardly respond to any input; empty if there is none.

        The outputs of radial basis functions, for example, are close to 0 far from all centres.
        """
        least = _SMALL_ROOT_MEAN_SQUARE
        return next((name for name, rms in self.custom_units.items() if 0 <= rms < least), "")

    @property
    def dropout(self) -> float:
        """Highest probability of a dropout layer."""
        return max(self.dropouts, default=0.0)

    @property
    def adapts(self) -> bool:
        """Whether most weights are frozen as something else has trained them, as under adapters."""
        kept = [layer for layer in self.layers if not layer.trained and not layer.as_drawn]
        return share_of(kept, self.layers) > _MIN_SHARE_KEPT

    @cached_property
    def decay_outweighs(self) -> bool:
        """Whether weight decay that is added to the gradients outweighed them at first."""
        pulls = [pull for pull in self.decay_pulls if math.isfinite(pull)]
        return len(pulls) >= _MIN_PULLS and statistics.median(pulls) > 1

    @cached_property
    def misinitialized(self) -> list[Layer]:
        """Layers with most of the weights, all initialised far too small or all far too large."""
        layers = [layer for layer in self.layers if layer.ran]
        drawn = [layer for layer in layers if layer.trained and layer.weight_gain > 0]
        faint = [layer for layer in drawn if layer.weight_gain < _FAINT_WEIGHT_GAIN]
        # Sigmoids, whose slope is a quarter, need weights four times as large (Glorot and Bengio).
        most = LOUD * (2 if self._hardly_move(0, _MAX_VARIANCE_OF_SIGMOIDS) else 1)
        loud = [layer for layer in drawn if layer.weight_gain > most]
        off = max(faint, loud, key=len)
        return off if len(off) > 1 and share_of(off, layers) >= _MIN_SHARE_OF_WEIGHTS else []

    @cached_property
    def vanished_from_the_start(self) -> bool:
        """Whether gradients vanished on their way back before the first step, with units alive.

        A last layer initialised at zero does not count: it blocks gradients for one step only.
        """
        dead = (shares[0] for shares in self.dead.history.values() if shares)
        return (
            vanishing_from(self.first_gradient_profile) is not None
            and not any(layer.is_last and layer.weight_gain == 0 for layer in self.layers)
            and max(dead, default=0.0) <= _MAX_SHARE_DEAD
            and not self.silent
        )

    @cached_property
    def silent(self) -> list[str]:
        """Activations all of whose units have been 0 in every report so far, of several.

        ReLUs are left out: `dead` covers their units.
        """
        history = self.dormant.history.items()
        known = {site: [s for s in shares if s == s] for site, shares in history}
        shut = [
            site
            for site, shares in known.items()
            if shares[:_REPORTS_OF_SILENCE] == [1.0] * _REPORTS_OF_SILENCE
        ]
        return [site for site in shut if min(known[site]) == 1 and site not in self.dead.last]

    @property
    def squashed_outputs(self) -> int:
        """Number of sigmoids, tanhs and similar functions with no layer after them."""
        return max(self.saturating_outputs, int(self.last_activation_is_output))

    @property
    def sigmoids_hardly_vary(self) -> bool:
        """Whether all hidden saturating units hardly vary, like sigmoids on a long plateau."""
        return self._hardly_move(-1, _MAX_VARIANCE_OF_STUCK_SIGMOIDS)

    @property
    def sigmoids_hardly_varied_at_first(self) -> bool:
        """Whether `sigmoids_hardly_vary` was true at first, by a looser threshold."""
        return self._hardly_move(0, 2 * _MAX_VARIANCE_OF_STUCK_SIGMOIDS)

    def _hardly_move(self, place: int, most: float) -> bool:
        sites = list(self.saturated.history)
        hidden = sites[: max(0, len(sites) - self.squashed_outputs)]
        known = [self.variances.of(site) for site in hidden]
        return bool(known) and all(shares and shares[place] < most for shares in known)
