"""The vital signs of a training: all that the rules read."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ....functional.gradient_flow import vanishing_from
from ....functional.loss_curve import excess_swing, slope_score, window_means
from .observed_signs import ObservedSigns
from .signs import NAN, Layer, share_of

_WINDOWS_OF_A_CURVE = 20
_MIN_WINDOWS_OF_A_QUARTER = 4
# Margins for noise, and for the error of the constant baseline if samples are few.
_CLEAR_GAIN = 0.02
_HARDLY_ANY_GAIN = 0.1
_MIN_SHARE_ABOVE_CONSTANT = 0.25

_FIRST_BATCHES = 50
_MIN_RATIO_OF_LOSS_SPIKE = 100.0
_MIN_RATIO_OF_WORSENED_LOSS = 3.0
_MIN_RATIO_TO_USUAL_LOSS = 5.0
_MIN_RATIO_OF_A_SUM = 1.5
_MIN_RATIO_OF_OTHER_UNITS = 1.5
_MIN_RATIO_OF_OTHER_DATA = 5.0
_MIN_RATIO_OF_PACES = 0.5
_STEPS_OF_A_SLOW_START = 1000
# Of the planned steps.
_LATE_SHARE_OF_STEPS = 0.75
_MAX_SHARE_OF_STEPS_IN_TIME = 0.9

_TINY_ROOT_MEAN_SQUARE = 1e-3
_SMALL_ROOT_MEAN_SQUARE = 1e-2
_MAX_DIMENSIONS_OF_A_TABLE = 2
_RECENT_LOOKS = 3
_MIN_LOOKS = 10
# Equal rows of a matrix product may differ in their last digits.
_MAX_RANGE_OF_ONE_PREDICTION = 1e-5

_LAST_CHECKS = 3
_RECENT_CHECKS = 5
_MANY_CHECKS = 8
_MIN_FALL_SHARE = 3e-3
_MIN_FALL_SHARE_WHEN_LEAVING = 0.01
_MAX_RATIO_OF_ERRORS = 2 / 3

_MIN_PULLS = 3
_REPORTS_OF_SILENCE = 3
_MAX_SHARE_DEAD = 0.5
_FAINT_WEIGHT_GAIN = 0.03
LOUD = 4.0
_FEWEST_STEPS = 30
_MIN_SHARE_OF_WEIGHTS = 0.75
_MIN_SHARE_KEPT = 0.5
_MAX_VARIANCE_OF_STUCK_SIGMOIDS = 0.03
_MAX_VARIANCE_OF_SIGMOIDS = 0.25


@dataclass
class Vitals(ObservedSigns):
    """Vital signs observed up to one moment, and quantities derived from them.

    Derived quantities are cached, so each report takes a copy.
    """

    @property
    def dropout(self) -> float:
        """Highest probability of a dropout layer."""
        return max(self.dropouts, default=0.0)

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
    def had_a_chance(self) -> bool:
        """Whether enough steps were done to expect any progress."""
        return self.step >= max(_FEWEST_STEPS, min(200, self.planned_steps / 10))

    @property
    def had_a_long_chance(self) -> bool:
        """Whether even a training that starts on a plateau should have left it by now."""
        return self._is_long(self.step)

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

    @property
    def starts_far(self) -> bool:
        """Whether the first loss is far above that of uniform predictions, ln C.

        False for unnormalised inputs, which are a cause of their own.
        """
        if not self.objective.usual_loss > 0 or not self.data_losses:
            return False
        # Class weights raise the loss of the best constant prediction.
        usual = max(self.objective.usual_loss, self.objective.constant_loss)
        return self.first_data_loss > _MIN_RATIO_TO_USUAL_LOSS * usual and not self.has_raw_inputs

    @property
    def adapts(self) -> bool:
        """Whether most weights are frozen as something else has trained them, as under adapters."""
        kept = [layer for layer in self.layers if not layer.trained and not layer.as_drawn]
        return share_of(kept, self.layers) > _MIN_SHARE_KEPT

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
    def first_data_loss(self) -> float:
        """First data loss; for binary labels, which may be weighted, at most a median of three."""
        first = self.data_losses[0]
        if self.objective.task == "binary":
            return min(first, statistics.median(self.data_losses[:3]))
        return first

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
    def highest_first_loss(self) -> float:
        """Highest finite loss of the first batches."""
        return max(
            (loss for loss in self.losses[:_FIRST_BATCHES] if math.isfinite(loss)), default=0.0
        )

    @property
    def had_loss_spike(self) -> bool:
        """Whether a step longer than the weights made the loss a hundred times as large."""
        longest = max((u for u in self.total_updates if math.isfinite(u)), default=0.0)
        first = self.losses[0] if self.losses else NAN
        return longest > 1 and 0 < _MIN_RATIO_OF_LOSS_SPIKE * first < self.highest_first_loss

    @cached_property
    def curve(self) -> list[float]:
        """Mean loss of each of at most 20 windows."""
        return window_means(self.losses, _WINDOWS_OF_A_CURVE)

    @cached_property
    def recent_loss(self) -> float:
        """Mean loss of the last tenth of the batches, at least ten."""
        return _tail_mean(self.losses)

    @cached_property
    def initial_loss(self) -> float:
        """Mean loss of the first batches, or the very first one if steps made it much worse."""
        first = self.losses[:5]
        mean = sum(first) / len(first) if first else NAN
        return first[0] if first and mean > _MIN_RATIO_OF_WORSENED_LOSS * first[0] > 0 else mean

    @cached_property
    def recent_data_loss(self) -> float:
        """Mean data loss of the most recently inspected batches."""
        return _tail_mean(self.data_losses)

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

    @cached_property
    def gain(self) -> float:
        """Relative reduction of the loss from that of the best constant prediction.

        If that is unknown, from the initial loss. 0 means nothing learned, 1 no loss left, below 0
        worse than the constant baseline.
        """
        constant = self.objective.constant_loss
        if constant > 0 and self.data_losses:
            return 1 - self.recent_data_loss / constant
        gains = []
        if self.initial_loss > 0 and math.isfinite(self.initial_loss):
            gains.append(1 - self.recent_loss / self.initial_loss)
        squares = self.objective.target_variance > 0 and not self.objective.own_units
        if squares and self.data_losses:
            # The gain in squared error, although that is not minimised: outliers may dominate it.
            gains.append(1 - self.recent_data_loss / self.objective.target_variance)
        return max(gains, default=NAN)

    @property
    def is_worse_than_constant(self) -> bool:
        """Whether the loss is clearly above the constant baseline.

        For images that is one constant for all places: a mean for each is more than a convolution
        can start with.
        """
        objective = self.objective
        if len(objective.target_shape) > _MAX_DIMENSIONS_OF_A_TABLE and objective.kind == "squared":
            return self.recent_data_loss > (1 + _MIN_SHARE_ABOVE_CONSTANT) * objective.flat_loss
        return self.gain < -_MIN_SHARE_ABOVE_CONSTANT

    @property
    def ignores_inputs(self) -> bool:
        """Whether all samples of each recently inspected batch got the same prediction."""
        recent, variance = self.prediction_ranges[-_RECENT_LOOKS:], self.objective.target_variance
        size = math.sqrt(variance) if variance > 0 else 1.0
        return len(recent) == _RECENT_LOOKS and max(recent) < _MAX_RANGE_OF_ONE_PREDICTION * size

    @property
    def evaluates_late(self) -> bool:
        """Whether evaluation says little yet, as BatchNorm's statistics lag behind the weights."""
        has_norm = math.isfinite(self.fewest_norm_values)
        return (
            has_norm and math.isfinite(self.planned_steps) and self.step <= self.planned_steps / 2
        )

    @property
    def labels_samples(self) -> bool:
        """Whether each sample has one label, rather than each of its words or pixels."""
        return not self.inputs.sizes or self.objective.labels in self.inputs.sizes

    @property
    def has_other_terms(self) -> bool:
        """Whether the total loss has more to it than the data loss, which the baseline is for."""
        whole, part = self.recent_loss, self.recent_data_loss
        return abs(whole - part) > 0.25 * max(abs(whole), abs(part))

    @property
    def is_imbalanced(self) -> bool:
        """Whether one class has at least ten times as many samples as another."""
        present = [count for count in self.objective.target_counts if count > 0]
        return len(present) > 1 and max(present) >= 10 * min(present)

    @property
    def scale(self) -> float:
        """Loss of the best constant prediction or, if unknown, the initial loss."""
        constant = self.objective.constant_loss
        return constant if constant > 0 else abs(self.initial_loss)

    @property
    def sum_of(self) -> float:
        """Ratio of the loss to its mean over a batch's samples: 1, or more for a sum."""
        whole, part = (known[0] if known else NAN for known in (self.losses, self.data_losses))
        return max(1.0, whole / part) if part > 0 else 1.0

    @property
    def whole_constant(self) -> float:
        """Loss of the best constant prediction in units of the total loss; NaN if unknown.

        A total only slightly above the data loss is not a sum: it contains a penalty.
        """
        return self.objective.constant_loss * (
            self.sum_of if self.sum_of > _MIN_RATIO_OF_A_SUM else 1.0
        )

    @property
    def validation_constant(self) -> float:
        """The same on validation's targets, as far as their spread is known to differ."""
        is_known = 1 / _MIN_RATIO_OF_OTHER_DATA < self.validation_spread < _MIN_RATIO_OF_OTHER_DATA
        return self.whole_constant * (self.validation_spread if is_known else 1.0)

    @property
    def whole_scale(self) -> float:
        """`scale` in units of the total loss: a sum over a batch is many times the mean."""
        return self.scale * self.sum_of

    @cached_property
    def is_falling(self) -> bool:
        """Whether the loss falls by more than its noise over the last half of the steps."""
        half = self.losses[len(self.losses) // 2 :]
        return slope_score(half) < -3

    @property
    def scores_improve(self) -> bool:
        """Whether validation's error rate has fallen by more than a third since the first check."""
        first, last = self.validation_scores[:1], self.validation_scores[-_LAST_CHECKS:]
        if len(self.validation_scores) <= _LAST_CHECKS or not 0 <= min(last) <= max(last) <= 1:
            return False
        return 1 - min(last) < _MAX_RATIO_OF_ERRORS * (1 - first[0])

    @cached_property
    def falls_as_fast_as_ever(self) -> bool:
        """Whether the loss falls near the planned end at half of its initial pace or more.

        A training that has learned almost all it can slows down.
        """
        late = (
            math.isfinite(self.planned_steps)
            and self.step >= _LATE_SHARE_OF_STEPS * self.planned_steps
        )
        knows = self.objective.constant_loss > 0 and not self.has_other_terms
        if not (late and knows and self.one_loss and self.is_falling):
            return False
        quarter = len(self.curve) // 4
        if quarter < _MIN_WINDOWS_OF_A_QUARTER:
            return False
        first = self.curve[0] - self.curve[quarter]
        last = self.curve[3 * quarter] - self.curve[-1]
        return first > 0 and last > _MIN_RATIO_OF_PACES * first

    @property
    def falls_in_time(self) -> bool:
        """Whether the loss falls and is below the constant baseline, or has time left for it."""
        return self.is_falling and (
            self.has_learned or self.step < _MAX_SHARE_OF_STEPS_IN_TIME * self.planned_steps
        )

    @cached_property
    def validation_falls(self) -> bool:
        """Whether each of the last validation losses is lower than the one before, by enough.

        False for a network that knew its task from the start, as in fine-tuning: it improves
        slowly.
        """
        checks, constant = self.validation_losses[-_RECENT_CHECKS:], self.objective.constant_loss
        knew = constant > 0 and any(loss < 0.7 * constant for loss in self.data_losses[:1])
        if len(checks) < _RECENT_CHECKS or knew:
            return False
        fell = checks[0] - checks[-1] > _MIN_FALL_SHARE * self.whole_scale
        return fell and all(b < a for a, b in pairwise(checks))

    @property
    def best_check(self) -> float:
        """Lowest validation loss; of many, averaged with its neighbours, as one may be luck."""
        checks = self.validation_losses
        place = checks.index(min(checks))
        around = int(len(checks) >= _MANY_CHECKS)
        return statistics.fmean(checks[max(0, place - around) : place + around + 1])

    @property
    def validates_the_same_loss(self) -> bool:
        """Whether the validation loss may be the training loss, and not one in other units."""
        checks, training = self.validation_losses, self.training_epoch_losses[:1]
        known = [*training, *([self.whole_scale] if self.objective.constant_loss > 0 else [])]
        return bool(checks and known) and min(checks) < _MIN_RATIO_OF_OTHER_UNITS * max(known)

    @property
    def validated_gain(self) -> float:
        """`gain` on the last validations; infinite if they cannot tell."""
        checks, constant = self.validation_losses[-_LAST_CHECKS:], self.validation_constant
        tells = len(checks) == _LAST_CHECKS and constant > 0 and self.validates_the_same_loss
        return 1 - statistics.median(checks) / constant if tells else math.inf

    @cached_property
    def is_rising(self) -> bool:
        """Whether the loss rises by more than its noise over the last half of the steps."""
        half = self.losses[len(self.losses) // 2 :]
        return slope_score(half) > 3

    @cached_property
    def swing(self) -> float:
        """How much more the loss moves between windows of its last half than noise explains."""
        return excess_swing(self.losses[len(self.losses) // 2 :], _WINDOWS_OF_A_CURVE // 2)

    @cached_property
    def has_learned(self) -> bool:
        """Whether the loss is clearly below the constant baseline."""
        return self.gain > _CLEAR_GAIN

    @property
    def has_learned_to_contrast(self) -> bool:
        """The same of a contrastive loss, which stays high however well it is learned."""
        return self.objective.of_positions and self.has_learned

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

    @property
    def is_poor(self) -> bool:
        """Whether `gain` shows that hardly anything was learned."""
        return self.gain < _HARDLY_ANY_GAIN

    @cached_property
    def is_well(self) -> bool:
        """Whether training does well as a whole, whatever single signs look like."""
        knows = self.one_loss or self.objective.constant_loss > 0
        if not knows or math.isnan(self.gain):
            return math.isfinite(self.recent_loss) and not self.is_rising
        return self.gain > 0.1 and (self.gain > 0.5 or not self.is_rising)


def _tail_mean(values: Sequence[float]) -> float:
    tail = values[-max(10, len(values) // 10) :]
    finite = [value for value in tail if math.isfinite(value)]
    # A step that mixed precision skips does not count against the others.
    tail = finite if 2 * len(finite) > len(tail) else tail
    return sum(tail) / len(tail) if tail else NAN
