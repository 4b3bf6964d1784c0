"""All rules, applied to the vital signs of one moment."""

from dataclasses import replace
from types import ModuleType

from .rules import (
    class_imbalance,
    covariate_shift,
    dead_relu,
    dormant_units,
    exploding_gradient,
    frozen_parameter,
    inconsistent_labels,
    learning_rate_too_high,
    learning_rate_too_low,
    linear_network,
    non_finite,
    not_learning,
    output_loss_mismatch,
    over_regularized,
    overfitting,
    poor_initialization,
    saturated_activation,
    symmetric_weights,
    train_eval_mismatch,
    unnormalized_input,
    unstable_loss,
    vanishing_gradient,
)
from .symptom import Symptom
from .vital_signs.vitals import Vitals

RULES = (
    output_loss_mismatch, symmetric_weights, linear_network, unnormalized_input, frozen_parameter,
    non_finite, exploding_gradient, vanishing_gradient, learning_rate_too_high,
    learning_rate_too_low, poor_initialization, dead_relu, saturated_activation, dormant_units,
    covariate_shift, unstable_loss, over_regularized, train_eval_mismatch, inconsistent_labels,
    overfitting, class_imbalance, not_learning,
)  # fmt: skip
_RANK = {"critical": 0, "warning": 1, "info": 2}


def examine(vitals: Vitals) -> list[Symptom]:
    """Return what the rules find, the worst symptom of each problem.

    Args:
        vitals: The vital signs so far.

    Returns:
        At most one symptom for each problem.
    """
    return [_told(symptom, vitals) for rule in RULES for symptom in worst_of(rule, vitals)]


def _told(symptom: Symptom, vitals: Vitals) -> Symptom:
    """Add what an estimated validation loss is estimated from."""
    if not vitals.validation_estimate or "validation loss" not in symptom.evidence:
        return symptom
    source = f" The validation loss is estimated from {vitals.validation_estimate}."
    return replace(symptom, evidence=symptom.evidence + source)


def worst_of(rule: ModuleType, vitals: Vitals) -> list[Symptom]:
    """Return the worst symptom that a rule finds, or none."""
    return sorted(rule.examine(vitals), key=lambda symptom: _RANK[symptom.severity])[:1]
