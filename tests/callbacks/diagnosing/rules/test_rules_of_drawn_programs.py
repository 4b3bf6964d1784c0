"""What programs showed that were drawn, with a fault put into them."""

import math

import pytest
from helpers.vital_signs import SMALL, found, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.vital_signs.signs import Layer, Objective

SQUARES = Objective(
    "regression", "squared", constant_loss=1.0, target_range=(-2.0, 2.0), of_batch=True
)
WAVERS = [0.93 - 2e-4 * i + 0.01 * (-1) ** i for i in range(300)]
CHANCE = {
    "validation_losses": [1.0, 1.02, 1.04, 1.03, 1.0, 1.02, 0.94, 1.04, 1.07, 1.02, 1.08, 1, 1],
    "training_epoch_losses": [1.05, 1.03, 1.01, 1.0, 1.0, *[0.99 - 0.005 * i for i in range(8)]],
    "validation_epochs": list(range(13)), "objective": SQUARES, "planned_steps": 300,
}  # fmt: skip


def test_one_lucky_check_does_not_heal_labels():
    assert found(vitals(WAVERS, **CHANCE))[P.INCONSISTENT_LABELS] == "critical"
    checks = [*CHANCE["validation_losses"][:5], *[0.93] * 8]
    learns = {**CHANCE, "validation_losses": checks}
    assert P.INCONSISTENT_LABELS not in found(vitals(WAVERS, **learns))


HARDER = {
    "validation_losses": [0.9, 0.8, *[0.5] * 12], "training_epoch_losses": [1.0, 0.9, *[0.7] * 12],
    "validation_epochs": list(range(14)), "objective": SQUARES, "planned_steps": 300,
}  # fmt: skip
HALF = [0.7 + 0.02 * (-1) ** i for i in range(300)]


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"validation_losses": [0.9, 0.8, *[0.5] * 11, 0.65]},  # at nine of ten
        {"dropouts": [0.1], "validation_losses": [0.9, 0.8, *[0.45] * 12]},  # more than its share
    ],
)
def test_targets_that_are_harder_in_training_than_in_validation(other):
    assert found(vitals(HALF, **{**HARDER, **other}))[P.INCONSISTENT_LABELS] == "warning"


@pytest.mark.parametrize(
    "other",
    [
        {"dropouts": [0.2]},  # is in training alone
        {"losses": [0.9 - 1e-3 * i for i in range(300)]},  # still falls
        {"planned_steps": 1000},  # What falls fast is lower at an epoch's end than on average.
        {"validation_losses": [0.9, 0.8, *[0.65] * 12]},
        {"training_epoch_losses": [1.3, 1.2, *[1.1] * 12]},  # where nothing is predicted
        {"validation_losses": [0.9, 0.8, *[0.5] * 10, 0.65, 0.65]},
        {"objective": Objective("regression", "huber", constant_loss=1.0)},  # for samples far off
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_else_makes_training_harder(other):
    signs = {"losses": HALF, **HARDER, **other}
    assert P.INCONSISTENT_LABELS not in found(vitals(signs.pop("losses"), **signs))


@pytest.mark.parametrize(
    ("checks", "accuracy", "sick"), [(0.48, 0.85, True), (0.48, None, False), (0.3, 0.9, False)]
)
def test_what_was_learned_by_heart_is_held_against_the_accuracy_of_validation(
    checks, accuracy, sick
):
    signs = {
        "validation_losses": [2.3, 0.9, 0.5, *[checks] * 5],
        "training_epoch_losses": [1.0, 0.1, *[2e-3] * 6], "validation_epochs": list(range(8)),
    }  # fmt: skip
    if accuracy is not None:
        signs |= {"validation_scores": [accuracy] * 8, "scores_are_accuracies": True}
    losses = [2e-3 + 1e-4 * (-1) ** i for i in range(300)]
    assert (P.OVERFITTING in found(vitals(losses, **signs, accuracies=[1.0] * 30))) is sick


SLOWLY = [1.0 * math.exp(-0.005 * i) + 0.01 * (-1) ** i for i in range(300)]
TINY = {
    "total_updates": [1.3e-4, *[5e-5] * 9], "objective": SQUARES, "planned_steps": 310,
    "validation_losses": [0.9, 0.7, 0.5, 0.4, 0.3, 0.28, 0.26],
    "training_epoch_losses": [0.9, 0.7, 0.5, 0.4, 0.3, 0.28, 0.26],
    "validation_epochs": list(range(7)),
}  # fmt: skip


def test_steps_of_a_tenth_of_the_usual_that_still_bring_the_loss_down_at_the_end():
    assert found(vitals(SLOWLY, **TINY))[P.LEARNING_RATE_TOO_LOW] == "warning"


@pytest.mark.parametrize(
    "other",
    [
        {"total_updates": [2e-4] * 10},
        {"planned_steps": 1000},
        {"validation_losses": [0.9, 0.7, 0.5, 0.4, 0.3, 0.3, 0.3]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_such_steps_are_well_where_they_are_larger_or_go_on_or_are_done(other):
    assert P.LEARNING_RATE_TOO_LOW not in found(vitals(SLOWLY, **{**TINY, **other}))


def test_what_is_nearly_all_known_needs_no_larger_ones():
    losses = [loss * 0.2 for loss in SLOWLY]
    assert P.LEARNING_RATE_TOO_LOW not in found(vitals(losses, **TINY))
    assert P.LEARNING_RATE_TOO_LOW not in found(vitals(SMALL, **TINY))


@pytest.mark.parametrize(
    ("at_first", "now", "losses", "sick"),
    [
        (1e-6, 5e-4, 1.65, True),
        (1e-6, 5e-3, 1.65, True),  # five times what is otherwise too little
        (1e-2, 5e-3, 1.65, False),
        (1e-6, 5e-2, 1.65, False),
        (1e-6, 5e-3, 1.0, False),  # more than half of it is learned
    ],
)
def test_gradients_that_were_lost_at_first_and_hardly_come_through_later(
    at_first, now, losses, sick
):
    profile = {"a": now, "b": now / 10, "c": now / 10, "d": 1.0}
    signs = vitals(
        [losses + 0.05 * (-1) ** i for i in range(300)], gradient_profile=profile,
        first_gradient_profile=[at_first, at_first, 0.1, 1.0],
        layers=[Layer(name, 9, has_gradient=True) for name in profile],
    )  # fmt: skip
    assert (found(signs).get(P.VANISHING_GRADIENT) == "warning") is sick
