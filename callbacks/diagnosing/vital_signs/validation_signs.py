"""What validation tells, beside the training loss."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from .loss_signs import LossSigns

_LAST_CHECKS = 3
_RECENT_CHECKS = 5
_MANY_CHECKS = 8
_MIN_FALL_SHARE = 3e-3
_MAX_RATIO_OF_ERRORS = 2 / 3
_MIN_RATIO_OF_OTHER_UNITS = 1.5
_MAX_RATIO_OF_A_FIRST_CHECK = 10.0
_MIN_RATIO_OF_OTHER_DATA = 5.0
_MAX_RATIO_IN_SAME_UNITS = 1.2
_MIN_LOG_OF_A_FALL = 0.05
_MIN_SHARE_OF_A_FALL = 1 / 3
_MIN_SHARE_OF_A_WAY = 0.5  # Up and down.
_MIN_RATIO_OF_PACES = 0.5


@dataclass
class ValidationSigns(LossSigns):
    """Quantities derived from the losses and scores of validations."""

    @property
    def checked_losses(self) -> list[tuple[float, float]]:
        """Validation loss of each check, with the mean training loss since the check before."""
        return list(zip(self.validation_losses, self.training_epoch_losses, strict=False))

    @property
    def validation_constant(self) -> float:
        """`whole_constant` on validation's targets, as far as their spread is known to differ."""
        is_known = 1 / _MIN_RATIO_OF_OTHER_DATA < self.validation_spread < _MIN_RATIO_OF_OTHER_DATA
        return self.whole_constant * (self.validation_spread if is_known else 1.0)

    @property
    def validates_the_same_loss(self) -> bool:
        """Whether the validation loss may be the training loss, and not one in other units."""
        if self.validates_the_data_loss:
            return False
        checks, training = self.validation_losses, self.training_epoch_losses[:1]
        known = [*training, *([self.whole_scale] if self.objective.constant_loss > 0 else [])]
        if not checks or not known or checks[0] > _MAX_RATIO_OF_A_FIRST_CHECK * max(known):
            return False
        return min(checks) < _MIN_RATIO_OF_OTHER_UNITS * max(known)

    @property
    def validates_the_data_loss(self) -> bool:
        """Whether validation logs the data loss, which training minimises scaled or moved."""
        whole, checks = self.training_epoch_losses[:1], self.validation_losses[:1]
        if not (whole and checks and self.has_data_loss_alone):
            return False
        is_scaled = self.sum_of != 1 and math.isfinite(self.multiple_of_data_loss)
        moved = self.losses[0] - self.data_losses[0]
        part = whole[0] / self.sum_of if is_scaled else whole[0] - moved
        alike = max(abs(whole[0]), abs(part)) < _MIN_RATIO_OF_OTHER_UNITS * min(whole[0], part)
        return not alike and abs(checks[0] - part) < abs(checks[0] - whole[0])

    @property
    def falls_along(self) -> bool:
        """Whether validation's loss has fallen in step with that of training since both began.

        Whatever their ratio or difference then is, it is one of units.
        """
        pairs = self.checked_losses
        if any(check < _MAX_RATIO_IN_SAME_UNITS * loss for check, loss in pairs):
            return False  # Once they were equal, and so are their units.
        # Over the first epoch, the mean of training lags behind.
        return _fall_along(pairs[1:] if len(pairs) > _LAST_CHECKS else pairs)

    @property
    def validated_gain(self) -> float:
        """`gain` on the last validations; infinite if they cannot tell."""
        checks, constant = self.validation_losses[-_LAST_CHECKS:], self.validation_constant
        tells = len(checks) == _LAST_CHECKS and constant > 0 and self.validates_the_same_loss
        return 1 - statistics.median(checks) / constant if tells else math.inf

    @property
    def best_check(self) -> float:
        """Lowest validation loss; of many, averaged with its neighbours, as one may be luck."""
        checks = self.validation_losses
        place = checks.index(min(checks))
        around = int(len(checks) >= _MANY_CHECKS)
        return statistics.fmean(checks[max(0, place - around) : place + around + 1])

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
    def validation_keeps_its_pace(self) -> bool:
        """Whether each of many validation losses is lower than the one before, by as much as ever.

        Over the last quarter of the checks it falls half as much as over the first, or more.
        """
        checks = self.validation_losses
        quarter = len(checks) // 4
        if len(checks) < _MANY_CHECKS or not all(b < a for a, b in pairwise(checks)):
            return False
        first, last = checks[0] - checks[quarter], checks[-1 - quarter] - checks[-1]
        return last > _MIN_RATIO_OF_PACES * first

    @property
    def epochs_fall(self) -> bool:
        """Whether each of many last epochs has a lower training loss than the one before."""
        epochs = self.training_epoch_losses[-_MANY_CHECKS:]
        return len(epochs) == _MANY_CHECKS and all(b < a for a, b in pairwise(epochs))

    @property
    def scores_improve(self) -> bool:
        """Whether validation's error rate has fallen by more than a third since the first check."""
        first, last = self.validation_scores[:1], self.validation_scores[-_LAST_CHECKS:]
        if len(self.validation_scores) <= _LAST_CHECKS or not 0 <= min(last) <= max(last) <= 1:
            return False
        return 1 - min(last) < _MAX_RATIO_OF_ERRORS * (1 - first[0])

    @property
    def evaluates_late(self) -> bool:
        """Whether evaluation says little yet, as BatchNorm's statistics lag behind the weights."""
        has_norm = math.isfinite(self.fewest_norm_values)
        return (
            has_norm and math.isfinite(self.planned_steps) and self.step <= self.planned_steps / 2
        )


def _fall_along(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether the first of each pair falls by about as much as the second, to its lowest value."""
    if len(pairs) < _LAST_CHECKS or not min(map(min, pairs)) > 0:
        return False
    checks, training = (list(losses) for losses in zip(*pairs, strict=True))
    end = checks.index(min(checks))
    way = sum(abs(b - a) for a, b in pairwise(checks[: end + 1]))
    fell = checks[0] - checks[end]
    if not fell > _MIN_SHARE_OF_A_WAY * way:
        return False
    log_of_fall = math.log(training[0] / training[end])
    follows = math.log(checks[0] / checks[end]) > _MIN_SHARE_OF_A_FALL * log_of_fall
    # Or with a number added to it.
    follows |= fell > _MIN_SHARE_OF_A_FALL * (training[0] - training[end])
    return log_of_fall > _MIN_LOG_OF_A_FALL and follows
