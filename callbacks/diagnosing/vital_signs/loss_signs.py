"""What the training loss tells: how much was learned, and whether it still falls."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ....functional.loss_curve import best_window, excess_swing, slope_score, window_means
from ....functional.loss_scaling import is_moved, multiple_of
from .levels import Gain
from .observed_signs import ObservedSigns
from .signs import NAN

_WINDOWS_OF_A_CURVE = 20
_MIN_WINDOWS_OF_A_QUARTER = 4
_MIN_RATIO_OF_PACES = 0.5
# Of the planned steps.
_LATE_SHARE_OF_STEPS = 0.75
_MAX_SHARE_OF_STEPS_IN_TIME = 0.9

_FIRST_BATCHES = 50
_MIN_RATIO_OF_LOSS_SPIKE = 100.0
_MIN_RATIO_OF_WORSENED_LOSS = 3.0
_MIN_RATIO_OF_A_SUM = 1.5
_MAX_DIMENSIONS_OF_A_TABLE = 2

# Margins for noise, and for the error of the constant baseline if samples are few.
_CLEAR_GAIN = 0.02
_MIN_SHARE_ABOVE_CONSTANT = 0.25
_MAX_ERROR = 1e-4  # Of single precision, relative.


@dataclass
class LossSigns(ObservedSigns):
    """Quantities derived from the losses of training batches."""

    @cached_property
    def curve(self) -> list[float]:
        """Mean loss of each of at most 20 windows."""
        return window_means(self.losses, _WINDOWS_OF_A_CURVE)

    @property
    def finite_curve(self) -> list[float]:
        """`curve` without its non-finite values."""
        return [value for value in self.curve if math.isfinite(value)]

    @property
    def best_losses(self) -> list[float]:
        """Losses of the batches in the best window of the curve."""
        return best_window(self.losses, _WINDOWS_OF_A_CURVE)

    @property
    def recent_losses(self) -> list[float]:
        """Losses of the last tenth of the batches, at least ten."""
        return _tail(self.losses)

    @cached_property
    def recent_loss(self) -> float:
        """Mean loss of the last tenth of the batches, at least ten."""
        return _tail_mean(self.losses)

    @cached_property
    def initial_loss(self) -> float:
        """Mean loss of the first batches, or the very first one if steps made it much worse.

        NaN if they were missed.
        """
        if self.missed:
            return NAN
        first = self.losses[:5]
        mean = sum(first) / len(first) if first else NAN
        return first[0] if first and mean > _MIN_RATIO_OF_WORSENED_LOSS * first[0] > 0 else mean

    @cached_property
    def recent_data_loss(self) -> float:
        """Mean data loss of recent batches, or of those inspected if the loss has other terms."""
        knows_all = self.is_plain and len(self.losses) >= len(self.data_losses)
        return self.recent_loss if knows_all else _tail_mean(self.data_losses)

    @property
    def is_plain(self) -> bool:
        """Whether the loss of each batch is its data loss, and nothing else, as far as known."""
        pairs = zip(self.data_losses, self.other_terms, strict=False)
        known = [abs(rest) <= _MAX_ERROR * abs(part) for part, rest in pairs]
        if self.objective.has_unread:
            return False
        return bool(known) and len(known) == len(self.data_losses) and all(known)

    @property
    def first_data_loss(self) -> float:
        """First data loss; for binary labels, which may be weighted, at most a median of three."""
        first = self.data_losses[0]
        if self.objective.task == "binary":
            return min(first, statistics.median(self.data_losses[:3]))
        return first

    @property
    def highest_first_loss(self) -> float:
        """Highest finite loss of the first batches."""
        return max(
            (loss for loss in self.losses[:_FIRST_BATCHES] if math.isfinite(loss)), default=0.0
        )

    @cached_property
    def update_ratios(self) -> list[float]:
        """`total_updates` without its non-finite values."""
        return [ratio for ratio in self.total_updates if math.isfinite(ratio)]

    @property
    def had_loss_spike(self) -> bool:
        """Whether a step longer than the weights made the loss a hundred times as large."""
        longest = max(self.update_ratios, default=0.0)
        first = self.losses[0] if self.losses else NAN
        return longest > 1 and 0 < _MIN_RATIO_OF_LOSS_SPIKE * first < self.highest_first_loss

    @property
    def scale(self) -> float:
        """Loss of the best constant prediction or, if unknown, the initial loss."""
        constant = self.objective.constant_loss
        return constant if constant > 0 else abs(self.initial_loss)

    @property
    def sum_of(self) -> float:
        """Ratio of the loss to its mean over a batch's samples: 1, or more for a sum.

        Any number by which a loss is multiplied, if it is the same in all batches.
        """
        if math.isfinite(self.multiple_of_data_loss):
            return self.multiple_of_data_loss
        whole, part = (known[0] if known else NAN for known in (self.losses, self.data_losses))
        return max(1.0, whole / part) if part > 0 else 1.0

    @property
    def whole_constant(self) -> float:
        """Loss of the best constant prediction in units of the total loss; NaN if unknown.

        A total only slightly above the data loss is not a sum: it contains a penalty.
        """
        known = math.isfinite(self.multiple_of_data_loss) or self.sum_of > _MIN_RATIO_OF_A_SUM
        return self.objective.constant_loss * (self.sum_of if known else 1.0)

    @property
    def whole_scale(self) -> float:
        """`scale` in units of the total loss: a sum over a batch is many times the mean."""
        return self.scale * (self.sum_of if self.objective.constant_loss > 0 else 1.0)

    @property
    def has_other_terms(self) -> bool:
        """Whether the total loss has more to it than the data loss, which the baseline is for."""
        whole, part = self.recent_loss, self.recent_data_loss
        return abs(whole - part) > 0.25 * max(abs(whole), abs(part))

    @property
    def has_added_terms(self) -> bool:
        """Whether the total is no multiple of the data loss, with `whole_constant` its baseline."""
        return self.has_other_terms and not math.isfinite(self.multiple_of_data_loss)

    @cached_property
    def has_data_loss_alone(self) -> bool:
        """Whether the total is the data loss, scaled or moved by a number that does not change.

        Known of several unlike batches only; a penalty changes along with the weights.
        """
        return math.isfinite(self.multiple_of_data_loss) or is_moved(*self._parts_and_totals)

    @cached_property
    def multiple_of_data_loss(self) -> float:
        """What the data loss is multiplied by in each batch to give the total; else NaN."""
        return multiple_of(*self._parts_and_totals)

    @property
    def _parts_and_totals(self) -> tuple[list[float], list[float]]:
        """Data loss and total of each inspected batch in which it is the only known term."""
        pairs = zip(self.data_losses, self.other_terms, strict=False)
        known = [(part, part + rest) for part, rest in pairs if math.isfinite(part + rest)]
        return [part for part, _ in known], [total for _, total in known]

    @cached_property
    def gain(self) -> float:
        """Relative reduction of the loss from that of the best constant prediction.

        If that is unknown, from the initial loss, if this was recorded. 0 means nothing learned, 1
        no loss left, below 0 worse than the constant baseline.
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

    @cached_property
    def learned(self) -> float:
        """`gain`, at most the share by which the loss fell, as it may start below the baseline."""
        if not 0 < self.initial_loss < math.inf:
            return self.gain
        return min(self.gain, 1 - self.recent_loss / self.initial_loss)

    @cached_property
    def has_learned(self) -> bool:
        """Whether the loss is clearly below the constant baseline."""
        return self.gain > _CLEAR_GAIN

    @property
    def has_learned_to_contrast(self) -> bool:
        """The same of a contrastive loss, which stays high however well it is learned."""
        return self.objective.of_positions and self.has_learned

    @property
    def is_poor(self) -> bool:
        """Whether `gain` shows that hardly anything was learned."""
        return self.gain < Gain.HARDLY_ANY

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

    @cached_property
    def is_well(self) -> bool:
        """Whether training does well as a whole, whatever single signs look like."""
        knows = self.one_loss or self.objective.constant_loss > 0
        if not knows or math.isnan(self.gain):
            return math.isfinite(self.recent_loss) and not self.is_rising
        return self.gain > Gain.HARDLY_ANY and (self.gain > Gain.GOOD or not self.is_rising)

    @cached_property
    def is_falling(self) -> bool:
        """Whether the loss falls by more than its noise over the last half of the steps."""
        half = self.losses[len(self.losses) // 2 :]
        return slope_score(half) < -3

    @cached_property
    def is_rising(self) -> bool:
        """Whether the loss rises by more than its noise over the last half of the steps."""
        half = self.losses[len(self.losses) // 2 :]
        return slope_score(half) > 3

    @property
    def falls_as_fast_as_ever(self) -> bool:
        """`keeps_its_pace` for a loss whose constant baseline is known."""
        knows = self.has_data_loss_alone or not self.has_other_terms
        return self.objective.constant_loss > 0 and knows and self.keeps_its_pace

    @cached_property
    def keeps_its_pace(self) -> bool:
        """Whether the loss falls near the planned end at half of its initial pace or more.

        A training that has learned almost all it can slows down.
        """
        late = self.step >= _LATE_SHARE_OF_STEPS * self.planned_steps
        quarter = len(self.curve) // 4
        falls = self.one_loss and self.is_falling
        if not (late and falls and quarter >= _MIN_WINDOWS_OF_A_QUARTER):
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
    def swing(self) -> float:
        """How much more the loss moves between windows of its last half than noise explains."""
        return excess_swing(self.losses[len(self.losses) // 2 :], _WINDOWS_OF_A_CURVE // 2)


def _tail(values: Sequence[float]) -> list[float]:
    tail = list(values[-max(10, len(values) // 10) :])
    finite = [value for value in tail if math.isfinite(value)]
    # A step that mixed precision skips does not count against the others.
    return finite if 2 * len(finite) > len(tail) else tail


def _tail_mean(values: Sequence[float]) -> float:
    tail = _tail(values)
    return sum(tail) / len(tail) if tail else NAN
