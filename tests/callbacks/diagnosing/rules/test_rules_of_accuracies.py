"""What accuracies of training and validation say beside one another."""

import math
from dataclasses import replace

import pytest
from helpers.vital_signs import LN10, SMALL, found, vitals

from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.problem import Problem as P

TOLD = {
    "accuracies": [0.3, 0.6, 0.9] + [0.98] * 27,
    "validation_scores": [0.3, 0.55, 0.6, 0.6, 0.61, 0.6],
    "scores_are_accuracies": True,
}


def rare(signs):
    """The same training data with two classes in a hundred times as many samples as the rest."""
    counts = [500.0, 500.0, *[5.0] * 8]
    return replace(signs, objective=replace(signs.objective, target_counts=counts))


def test_far_more_told_of_training_than_of_validation_is_over_fitting():
    (symptom,) = [s for s in examine(vitals(SMALL, **TOLD)) if s.problem is P.OVERFITTING]
    assert symptom.severity == "warning"
    assert "98% of the training data is classified correctly, but no more than 61%" in (
        symptom.evidence
    )


@pytest.mark.parametrize(
    "other",
    [
        {"validation_scores": [0.3, 0.5, 0.8, 0.8, 0.81, 0.8]},  # not so far
        {"validation_scores": [0.3, 0.35, 0.4, 0.5, 0.6, 0.65]},  # getting better
        {"accuracies": [0.88] * 30},  # not all is known by heart
        {"accuracies": [0.98] * 9},  # few were looked at
        {"scores_are_accuracies": False},
        {"training_score": 0.69},  # by the score's own measure there is no gap
    ],
)
def test_what_is_no_such_gap(other):
    assert P.OVERFITTING not in found(vitals(SMALL, **{**TOLD, **other}))


BY_CHANCE = {
    "accuracies": [0.1, 0.2, 0.3] + [0.45] * 27, "planned_steps": 500,
    "validation_scores": [0.1, 0.12, 0.09, 0.11, 0.13, 0.1], "scores_are_accuracies": True,
}  # fmt: skip
HALF_WAY = [1.6 + 0.05 * (-1) ** i for i in range(300)]


def test_accuracy_of_chance_in_validation_alone_means_that_nothing_carries_over():
    (symptom,) = [
        s for s in examine(vitals(HALF_WAY, **BY_CHANCE)) if s.problem is P.INCONSISTENT_LABELS
    ]
    assert symptom.severity == "critical"
    assert symptom.evidence == (
        "45% of the training data is classified correctly, but never more than 13% of the "
        "validation data, where the largest class is 10%: nothing generalises."
    )


@pytest.mark.parametrize(
    "other",
    [
        {"validation_scores": [0.1, 0.12, 0.09, 0.11, 0.18, 0.1]},
        {"validation_scores": [0.1, 0.12, 0.09, 0.11]},  # few checks
        {"accuracies": [0.2] * 30},
        {"training_score": 0.2},
        {"scores_are_accuracies": False},
        {"planned_steps": 1000},
        {"statistics_gap": {"norm": 2.0}},  # in evaluation it is another network
        {"validation_losses": [1.7] * 6, "training_epoch_losses": [1.6] * 6},
    ],
)
def test_what_may_carry_over(other):
    assert P.INCONSISTENT_LABELS not in found(vitals(HALF_WAY, **{**BY_CHANCE, **other}))


# The best check is a little below the loss of a constant, which is 2.3.
BY_HEART = {
    **BY_CHANCE, "validation_losses": [2.3, 2.24, 2.22, 2.6, 2.8, 3.0],
    "training_epoch_losses": [2.3, 2.2, 2.0, 1.8, 1.7, 1.6],
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({}, P.INCONSISTENT_LABELS),
        ({"validation_scores": [0.1, 0.12, 0.2, 0.21, 0.19, 0.2]}, P.OVERFITTING),
        ({"validation_losses": [2.3, 2.1, 2.05, 2.6, 2.8, 3.0]}, P.OVERFITTING),
    ],
)
def test_a_good_check_by_luck_is_none_where_accuracies_stay_at_chance(other, problem):
    told = found(vitals(HALF_WAY, **{**BY_HEART, **other}))
    assert problem in told
    assert (P.INCONSISTENT_LABELS in told) is (problem is P.INCONSISTENT_LABELS)


def test_classes_that_are_rare_in_training_alone_are_an_imbalance():
    signs = rare(vitals(SMALL, **TOLD))
    assert found(signs)[P.CLASS_IMBALANCE] == "warning"
    assert P.OVERFITTING not in found(signs)
    known = rare(vitals(SMALL, **{**TOLD, "validation_scores": [0.95] * 6}))
    assert found(known)[P.CLASS_IMBALANCE] == "info"


@pytest.mark.parametrize(("check", "sick"), [(3.1, True), (1.0, False)])
def test_a_mix_of_another_kind_is_told_by_losses_too(check, sick):
    checks = {"validation_losses": [check] * 5, "training_epoch_losses": [0.3] * 5}
    signs = rare(vitals(SMALL, **checks, validation_epochs=list(range(5))))
    signs.objective.constant_loss = 0.8
    assert (found(signs)[P.CLASS_IMBALANCE] == "warning") is sick


@pytest.mark.parametrize(("accuracy", "sick"), [(0.999, True), (0.93, False)])
def test_smoothed_labels_leave_a_loss_where_all_is_known_by_heart(accuracy, sick):
    signs = {
        "accuracies": [accuracy] * 30,
        "validation_losses": [1.8, 1.5, 1.45, 1.44, 1.44, 1.45, 1.44],
        "training_epoch_losses": [1.7, 1.0, 0.7, 0.55, 0.52, 0.51, 0.51],
        "validation_epochs": list(range(7)),
    }
    assert (P.OVERFITTING in found(vitals(SMALL, **signs))) is sick


def test_the_share_told_rightly_is_of_single_labels():
    assert vitals(SMALL, **TOLD).training_accuracy == pytest.approx(0.98)
    words = vitals(SMALL, **TOLD)
    words.inputs.sizes = (8, 20)
    words.objective.labels = 160.0
    assert math.isnan(words.training_accuracy)
    assert math.isnan(vitals(SMALL).training_accuracy)
    assert words.objective.constant_loss == LN10


SURE = {
    "validation_losses": [1.0, 0.4, 0.2, 0.5, 0.7, 0.8, 0.9],
    "training_epoch_losses": [1.0, 0.4, 0.1, 0.05, 0.01, 1e-3, 1e-3],
    "validation_epochs": list(range(7)), "accuracies": [1.0] * 30,
}  # fmt: skip


@pytest.mark.parametrize(
    ("scores", "accuracies", "severity"),
    [([0.94], True, "info"), ([0.7], True, "warning"), ([0.94], False, "warning"),
     ([], True, "warning")],
)  # fmt: skip
def test_a_validation_loss_that_rises_for_being_too_sure_of_a_few(scores, accuracies, severity):
    told = {"validation_scores": scores * 7, "scores_are_accuracies": accuracies}
    assert found(vitals(SMALL, **SURE, **told))[P.OVERFITTING] == severity
    # With a rare class, accuracies tell little.
    uneven = replace(vitals().objective, target_counts=[300.0] * 9 + [30.0])
    assert found(vitals(SMALL, objective=uneven, **SURE, **told))[P.OVERFITTING] == "warning"


@pytest.mark.parametrize(("checks", "known"), [(4, False), (5, True)])
def test_five_checks_tell_that_validation_is_at_chance(checks, known):
    scores = {**BY_CHANCE, "validation_scores": BY_CHANCE["validation_scores"][:checks]}
    assert (P.INCONSISTENT_LABELS in found(vitals(HALF_WAY, **scores))) is known
