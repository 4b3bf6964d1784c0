"""A loss that stays at the constant baseline with nothing wrong in the network.

Without the capacity to memorise, a network whose labels have nothing to do with the inputs learns
nothing, although gradients flow and weights move as they should.
"""

import statistics

from ...symptom import Finding
from ...vital_signs.levels import RECENT_CHECKS
from ...vital_signs.vitals import Vitals
from .memorized import classifies_better
from .suspicion import suspect_labels

_USUAL_UPDATE_RATIOS = (2e-4, 3e-2)  # Of a step's length to that of the weights.
_MIN_WAY_IN_WEIGHT_LENGTHS = 0.25
_STEPS_TO_LEAVE_A_CONSTANT = 500
_MAX_RATIO_OF_LOWERED_RATE = 0.3
_HIGH_DROPOUT = 0.5
_FEW_CLASSES = 20

# Relative to the constant baseline.
_MAX_GAIN_AT_A_CONSTANT = 0.05
_MAX_RATIO_BELOW_CONSTANT = 0.99
_MIN_SHARE_ABOVE_CONSTANT = 0.05
_MIN_FALL_SHARE_IN_TRAINING = 5e-3
_MIN_RATIO_OF_FALLS = 0.7  # In validation to training.
_MIN_GAP_FALLING_APART = 0.01  # Between them, each relative to its own.


def find_constant(vitals: Vitals) -> Finding | None:
    """Find a loss at the constant baseline, in validation at least, with labels left to blame."""
    constant = vitals.objective.constant_loss
    steps = vitals.update_ratios[-5:]
    if not constant > 0 or not vitals.had_a_long_chance_at_full_rate or not steps:
        return None
    # Memorising lowers the training loss alone.
    apart = _diverges_from_validation(vitals)
    if vitals.falls_in_time and not apart:
        return None
    # Where validation has a score, it is known to decide no better than by chance.
    has_learned = vitals.has_learned and not (apart and vitals.validation_scores)
    if vitals.recurrent or vitals.ignores_inputs:
        return None  # What such a network forgets leaves no trace in its layers.
    if len(vitals.objective.target_counts) > _FEW_CLASSES and not vitals.labels_samples:
        return None  # Word frequencies are learned long before what words depend on.
    if vitals.learning_rate < _MAX_RATIO_OF_LOWERED_RATE * vitals.learning_rate_peak:
        # A schedule has lowered the rate, so that earlier steps count, too.
        steps = vitals.update_ratios
    low, high = _USUAL_UPDATE_RATIOS
    moves = low < statistics.median(steps) < high
    if not (moves and abs(vitals.gain) < _MAX_GAIN_AT_A_CONSTANT and not has_learned):
        return None
    if not apart and not _had_every_chance(vitals):
        return None
    evidence = apart or (
        f"After {vitals.step} steps the loss is {vitals.recent_data_loss:.4g}, that of the best "
        f"constant prediction ({constant:.4g}), although gradients flow and the weights move as "
        "they should."
    )
    if apart or vitals.step >= min(_STEPS_TO_LEAVE_A_CONSTANT, vitals.planned_steps / 2):
        return suspect_labels(vitals, evidence, reports=4)
    early = "Give it time: some networks leave this plateau only after several hundred steps."
    return suspect_labels(vitals, evidence, early, reports=4, severity="warning")


def _diverges_from_validation(vitals: Vitals) -> str:
    """Describe a falling training loss with validation at the baseline; empty if not so."""
    checks, training = vitals.validation_losses, vitals.training_epoch_losses
    constant, reached = vitals.whole_constant, vitals.validation_constant
    if len(checks) <= RECENT_CHECKS or vitals.evaluates_late:
        return ""
    if vitals.is_imbalanced or not vitals.validates_the_same_loss or classifies_better(vitals):
        return ""
    fell = min(checks[:-RECENT_CHECKS]) - min(checks[-RECENT_CHECKS:])
    fell_in_training = min(training[:-RECENT_CHECKS]) - min(training[-RECENT_CHECKS:])
    follows = fell > _MIN_RATIO_OF_FALLS * fell_in_training or vitals.validation_falls
    if (
        follows
        or fell_in_training < _MIN_FALL_SHARE_IN_TRAINING * constant
        or min(checks) < _MAX_RATIO_BELOW_CONSTANT * reached
    ):
        return ""
    if checks[-1] / reached - training[-1] / constant < _MIN_GAP_FALLING_APART:
        return ""
    return (
        f"The training loss begins to fall, to {training[-1]:.4g}, but the validation loss does "
        f"not follow: it is {checks[-1]:.4g}, and the best constant prediction reaches "
        f"{reached:.4g}."
    )


def _had_every_chance(vitals: Vitals) -> bool:
    """Whether only the labels are left to blame: weights have moved, and no learning goes on."""
    updates = vitals.update_ratios
    way = statistics.fmean(updates) * vitals.step
    learns = vitals.is_falling or classifies_better(vitals)
    spared = vitals.dropout < _HIGH_DROPOUT and not (
        _is_shaken(vitals) or vitals.sigmoids_hardly_vary
    )
    return way > _MIN_WAY_IN_WEIGHT_LENGTHS and spared and not learns


def _is_shaken(vitals: Vitals) -> bool:
    """Whether steps that are too large keep validation above the constant baseline."""
    checks, constant = vitals.validation_losses[-RECENT_CHECKS:], vitals.validation_constant
    return (
        constant > 0
        and vitals.validates_the_same_loss
        and not vitals.evaluates_late
        and statistics.median(checks) > (1 + _MIN_SHARE_ABOVE_CONSTANT) * constant
    )
