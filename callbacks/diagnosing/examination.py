"""All rules, applied to the vital signs of one moment."""

from dataclasses import replace
from types import ModuleType

from ..problem import Problem
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


def examine(vitals: Vitals) -> list[Symptom]:
    """Return what the rules find.

    Args:
        vitals: The vital signs so far.

    Returns:
        At most one symptom for each problem.
    """
    found = (symptom_of(rule, vitals) for rule in RULES)
    return [_told(symptom, vitals) for symptom in found if symptom is not None]


def symptom_of(rule: ModuleType, vitals: Vitals) -> Symptom | None:
    """Return what the rule for a problem, by which its module is called, finds."""
    finding = rule.examine(vitals)
    problem = Problem(rule.__name__.rpartition(".")[2])
    return None if finding is None else Symptom(**vars(finding), problem=problem)


def _told(symptom: Symptom, vitals: Vitals) -> Symptom:
    """Add what an estimated validation loss is estimated from."""
    if not vitals.validation_estimate or "validation loss" not in symptom.evidence:
        return symptom
    source = f" The validation loss is estimated from {vitals.validation_estimate}."
    return replace(symptom, evidence=symptom.evidence + source)
