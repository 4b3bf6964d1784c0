"""Rules on how a training came out: what carries over, what came too late, what hid the rest."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.vital_signs import FALLING, FLAT, LN10, SMALL, found, record, vitals
from torch import nn

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.inputs.first_batches import FirstBatches
from torchvitals.callbacks.diagnosing.vital_signs.signs import InputScale, Layer, Objective

RUNOFF = Objective(
    "regression", "squared", constant_loss=1.0, target_variance=1.0, target_range=(-0.8, 9.5),
    predicted_range=(-0.8, 0.9998),
)  # fmt: skip
BOUNDED = {
    "objective": RUNOFF, "predicted_max": [0.9] * 20 + [0.995] * 20, "predicted_min": [-0.5] * 40,
    "missed_above": [0.1] * 20 + [0.8] * 20, "missed_below": [0.0] * 40,
}  # fmt: skip
LEARNED = [0.4 + 0.01 * (-1) ** i for i in range(300)]


@pytest.mark.parametrize("sign", [1, -1])
def test_predictions_that_end_at_one_though_something_is_learned(sign):
    signs = {**BOUNDED}
    if sign < 0:
        signs |= {
            "objective": replace(RUNOFF, target_range=(-9.5, 0.8), predicted_range=(-0.995, 0.5)),
            "predicted_max": [0.5] * 40, "predicted_min": [-0.995] * 40,
            "missed_above": [0.0] * 40, "missed_below": [0.8] * 40,
        }  # fmt: skip
    (symptom,) = join_causes(examine(vitals(LEARNED, **signs)))
    assert (symptom.problem, symptom.severity) == (P.OUTPUT_LOSS_MISMATCH, "warning")
    assert f"within 0.02 of {sign:g} in 20 of the last 20 observed batches" in symptom.evidence


@pytest.mark.parametrize(
    "more",
    [
        {"objective": replace(RUNOFF, predicted_range=(-0.8, 1.2))},  # beyond it, once
        {"predicted_max": [0.6 + 0.01 * i for i in range(40)]},  # on its way past
        {"missed_above": [0.01 * (-1) ** i for i in range(40)]},  # a bound on purpose, and noise
        {"objective": replace(RUNOFF, constant_loss=8.0)},  # well learned
        {"objective": replace(RUNOFF, task="classification", kind="cross_entropy")},
    ],
)
def test_predictions_that_nothing_bounds(more):
    assert P.OUTPUT_LOSS_MISMATCH not in found(vitals(LEARNED, **{**BOUNDED, **more}))


HIDING = InputScale("fc", 1.5, 1.7, 1e-8, 0.98, features=6, usual_std=1e-6)


def test_columns_that_another_hides():
    (symptom,) = join_causes(examine(vitals(FLAT, inputs=HIDING)))
    assert symptom.problem == P.UNNORMALIZED_INPUT
    assert "1.7, and half of them 1e-06 or less" in symptom.evidence
    for inputs in (replace(HIDING, usual_std=0.01), replace(HIDING, features=2)):
        assert P.UNNORMALIZED_INPUT not in found(vitals(FLAT, inputs=inputs))
    assert P.UNNORMALIZED_INPUT not in found(vitals(SMALL, inputs=HIDING))


def test_gradients_that_grow_through_time_are_behind_wild_first_predictions():
    targets = replace(RUNOFF, target_range=(-3.0, 3.0))
    through_time = {"recurrent": True, "recurrent_layer": "cell", "time_profile": [50.0, 7.0, 1.0]}
    wild = {"objective": targets, "prediction_ranges": [2e4] * 30, "planned_steps": 400}
    far_off = [20.0 + 0.1 * (-1) ** i for i in range(300)]
    symptoms = join_causes(examine(vitals(far_off, **wild, **through_time)))
    assert [s.problem for s in symptoms] == [P.EXPLODING_GRADIENT]
    assert "The first predictions spread over 2e+04" in symptoms[0].evidence
    assert P.EXPLODING_GRADIENT not in found(vitals(FLAT, **through_time))


SATURATED = {"saturated": record(first=[0.79, 0.86], second=[0.0, 0.05])}
WORSE = {"validation_losses": [0.9, 0.8, 0.7, 0.7], "training_epoch_losses": [0.6, 0.35, 0.3, 0.2]}


def test_what_was_saturated_from_the_start_and_carries_over_badly():
    assert found(vitals(SMALL, **SATURATED, **WORSE))[P.SATURATED_ACTIVATION] == "warning"
    scored = {
        "validation_scores": [0.7, 0.72, 0.71], "accuracies": [0.9] * 20,
        "scores_are_accuracies": True,
    }  # fmt: skip
    assert found(vitals(SMALL, **SATURATED, **scored))[P.SATURATED_ACTIVATION] == "warning"


@pytest.mark.parametrize(
    "more",
    [
        {"saturated": record(first=[0.2, 0.86], second=[0.0, 0.05])},  # what it came to
        {"validation_losses": [0.9, 0.8, 0.5, 0.4]},
        {"validation_losses": [0.8, 0.7, 0.6, 0.4], "training_epoch_losses": [0.1] * 4},
        {"validation_losses": [], "training_epoch_losses": [], "validation_scores": [0.95] * 3,
         "accuracies": [0.99] * 20, "scores_are_accuracies": True},
        {"validation_losses": [], "training_epoch_losses": [], "validation_scores": [0.7] * 3,
         "accuracies": [0.9] * 20},  # as F1 is one of its own
        {"validation_losses": [], "training_epoch_losses": [], "validation_scores": [0.7] * 2,
         "accuracies": [0.9] * 20, "scores_are_accuracies": True},
        {"planned_steps": 10_000},  # it may carry over yet
        {"validation_losses": [], "training_epoch_losses": []},
    ],
)  # fmt: skip
def test_saturation_that_costs_nothing_is_only_worth_knowing(more):
    signs = vitals(SMALL, **{**SATURATED, **WORSE, **more})
    assert found(signs)[P.SATURATED_ACTIVATION] == "info"


@pytest.mark.parametrize(
    ("losses", "checks", "severity"),
    [
        ([1.5 + 0.02 * (-1) ** i for i in range(300)], [], "warning"),
        ([1.9 - 0.002 * i + 0.02 * (-1) ** i for i in range(300)], [], "info"),
        ([2.3, *[1.5 + 0.02 * (-1) ** i for i in range(299)]], [1.9, 1.8, 1.7, 1.6, 1.5], "info"),
    ],
)
def test_what_was_saturated_all_along_holds_a_loss_up_that_no_longer_falls(
    losses, checks, severity
):
    shut = record(first=[0.8] * 5, second=[0.1] * 5)
    signs = vitals(losses, saturated=shut, validation_losses=checks, training_epoch_losses=checks)
    assert found(signs)[P.SATURATED_ACTIVATION] == severity


SECONDS = Objective(
    "classification", "cross_entropy", classes=3, constant_loss=0.3, labels=960.0,
    target_counts=[343e3, 5.8e3, 3.1e3], predicted_counts=[37e3, 79.0, 6.0],
)  # fmt: skip
ASKED = {"objective": SECONDS, "wants_decisions": True, "inputs": InputScale(sizes=(16, 60))}


def test_rare_states_of_each_second_that_are_hardly_ever_said():
    assert found(vitals(SMALL, **ASKED))[P.CLASS_IMBALANCE] == "warning"


def test_seconds_are_not_drawn_one_by_one_as_samples_are():
    def advice(**more):
        symptoms = examine(vitals(SMALL, **{**ASKED, **more}))
        (remedies,) = [s.remedies for s in symptoms if s.problem is P.CLASS_IMBALANCE]
        return [remedy.advice.split()[0] for remedy in remedies]

    assert advice() == ["Weight"]
    assert advice(inputs=InputScale(sizes=(960, 60))) == ["Weight", "Sample", "Or"]


def test_a_class_with_exactly_a_tenth_of_the_samples_is_rare():
    objective = replace(vitals().objective, target_counts=[500.0, 50.0], predicted_counts=[9.0, 1])
    (evidence,) = [s.evidence for s in examine(vitals(SMALL, objective=objective))]
    assert evidence == (
        "The largest class has 10 times as many samples as the smallest; the rare class is 9.1% of "
        "the data and 10.0% of the predictions."
    )


@pytest.mark.parametrize(
    "more",
    [
        {"wants_decisions": False},
        {"objective": replace(SECONDS, constant_loss=2.0)},  # well learned
        {"objective": replace(SECONDS, classes=30, target_counts=[*SECONDS.target_counts] * 10,
                              predicted_counts=[*SECONDS.predicted_counts] * 10)},
    ],
)  # fmt: skip
def test_rare_words_that_are_never_the_likeliest(more):
    assert found(vitals(SMALL, **{**ASKED, **more})).get(P.CLASS_IMBALANCE, "info") == "info"


def test_what_is_rare_comes_last():
    orders = Objective(
        "binary", "bce_logits", classes=1, constant_loss=0.3, labels=64.0,
        target_counts=[7545.0, 231.0], predicted_counts=[3757.0, 1.0],
    )  # fmt: skip
    signs = {"objective": orders, "wants_decisions": True}
    assert found(vitals(SMALL, **signs)) == {P.CLASS_IMBALANCE: "info"}
    assert found(vitals(SMALL, planned_steps=500, **signs)) == {P.CLASS_IMBALANCE: "info"}
    assert found(vitals(SMALL, planned_steps=440, **signs)) == {P.CLASS_IMBALANCE: "warning"}


FRAUDS = Objective(
    "binary", "bce_logits", classes=1, constant_loss=0.5, labels=64.0,
    target_counts=[9700.0, 300.0], predicted_counts=[4925.0, 75.0],
)  # fmt: skip


@pytest.mark.parametrize(
    ("predicted", "more", "severity"),
    [
        (75.0, {}, "warning"),
        (90.0, {}, "info"),  # three in five
        (75.0, {"planned_steps": 400}, "info"),  # there is time left
        (75.0, {"planned_steps": math.inf}, "info"),  # perhaps
        (75.0, {"wants_decisions": False}, "info"),
        (75.0, {"wants_order": True}, "info"),
    ],
)
def test_rare_ones_of_which_half_are_missed_in_the_end(predicted, more, severity):
    objective = replace(FRAUDS, predicted_counts=[5000.0 - predicted, predicted])
    signs = {"objective": objective, "wants_decisions": True, "planned_steps": 300, **more}
    assert found(vitals(SMALL, **signs)) == {P.CLASS_IMBALANCE: severity}


@pytest.mark.parametrize(
    ("classes", "predicted", "severity"),
    [(3, 40.0, "warning"), (3, 70.0, "info"), (6, 40.0, "info")],
)
def test_rare_ones_of_a_few_classes_of_which_half_are_missed_in_the_end(
    classes, predicted, severity
):
    often, seldom = [9700.0 / (classes - 1)] * (classes - 1), [150.0]
    objective = Objective(
        "classification", "cross_entropy", classes=classes, constant_loss=0.35, labels=64.0,
        target_counts=[*often, *seldom],
        predicted_counts=[(5000.0 - predicted) / (classes - 1)] * (classes - 1) + [predicted],
    )  # fmt: skip
    signs = {"objective": objective, "wants_decisions": True, "planned_steps": 300}
    assert found(vitals(SMALL, **signs)) == {P.CLASS_IMBALANCE: severity}


@pytest.mark.parametrize(
    ("counts", "predicted", "steps", "severity"),
    [
        ([2900.0, 40.0, 30.0, 30.0], [3000.0, 0.0, 0.0, 0.0], 300, "warning"),
        ([2900.0, 40.0, 30.0, 30.0], [3000.0, 0.0, 0.0, 0.0], 200, "info"),  # early
        ([2900.0, 40.0, 30.0, 30.0], [600.0, 0.0, 0.0, 0.0], 300, "info"),  # of eight at most
        ([990.0, 990.0, 990.0, 30.0], [3000.0, 0.0, 0.0, 0.0], 300, "info"),  # nor of the others
    ],
)
def test_a_rare_class_is_missed_where_enough_predictions_of_it_are_due(
    counts, predicted, steps, severity
):
    objective = Objective(
        "classification", "cross_entropy", classes=4, constant_loss=2.3, labels=64.0,
        target_counts=counts, predicted_counts=predicted,
    )  # fmt: skip
    assert found(vitals(FLAT[:steps], objective=objective))[P.CLASS_IMBALANCE] == severity


def test_a_class_may_have_a_weight_of_zero():
    """As an integer division of few by many does: a constant prediction then has no loss."""
    objective = replace(
        FRAUDS, constant_loss=0.0, target_counts=[300.0, 9700.0], predicted_counts=[5000.0, 0.0]
    )
    signs = {"objective": objective, "planned_steps": 300}
    assert P.CLASS_IMBALANCE in found(vitals(SMALL, **signs))


def test_rare_ones_of_a_loss_that_is_well_down_are_not_missed():
    objective = replace(FRAUDS, constant_loss=2.0)
    signs = {"objective": objective, "wants_decisions": True, "planned_steps": 300}
    assert found(vitals(SMALL, **signs)) == {P.CLASS_IMBALANCE: "info"}


UP_AND_DOWN = [0.9, 0.7, 0.5, 0.48, 0.3, 0.52, 0.5, 0.51, 0.52]
FALLS = [0.9 - 0.09 * i for i in range(9)]


def test_one_good_check_of_many_is_not_what_was_lost():
    signs = {"training_epoch_losses": FALLS, "objective": replace(vitals().objective, classes=2)}
    assert P.OVERFITTING not in found(vitals(SMALL, validation_losses=UP_AND_DOWN, **signs))
    lasting = [*UP_AND_DOWN[:3], 0.31, *UP_AND_DOWN[4:5], 0.32, 0.6, 0.61, 0.62]
    assert P.OVERFITTING in found(vitals(SMALL, validation_losses=lasting, **signs))


def test_a_validation_that_goes_on_rising_is_judged_by_where_it_is():
    """Half of the last fifth is a tenth of a constant's loss above the best; not all of it."""
    rising = [2.0 - 0.1 * i for i in range(10)] + [1.0 + 0.018 * i for i in range(20)]
    training = [2.0 * 0.93**i for i in range(30)]
    signs = {"validation_losses": rising, "training_epoch_losses": training}
    assert P.OVERFITTING in found(vitals(SMALL, **signs))
    # One that was as high in three checks only was not there before.
    late = [min(loss, 1.1) for loss in rising[10:-3]]
    late = [*rising[:10], *late, *rising[-3:]]
    assert P.OVERFITTING not in found(vitals(SMALL, **{**signs, "validation_losses": late}))


@pytest.mark.parametrize(("best", "sick"), [(2.0, True), (2.6, False)])
def test_a_rise_by_less_than_a_tenth_of_the_best_is_no_overfitting(best, sick):
    signs = {"validation_losses": [best, *[best + 0.25] * 3],
             "training_epoch_losses": [2.2, 1.5, 1.0, 0.2]}  # fmt: skip
    assert (P.OVERFITTING in found(vitals(SMALL, **signs))) is sick


def test_where_a_few_batches_are_to_be_learned_by_heart_that_is_no_fault():
    rises = {"validation_losses": [1.0, 0.9, 1.3, 1.4, 1.5]}
    chance = {"validation_losses": [2.4, 2.4, 2.9, 3.2, 3.5]}
    for checks, problem in ((rises, P.OVERFITTING), (chance, P.INCONSISTENT_LABELS)):
        signs = vitals(SMALL, training_epoch_losses=[1.0, 0.5, 0.4, 0.3, 0.2], **checks)
        assert problem in found(signs)
        assert not found(replace(signs, overfits_on_purpose=True))


@pytest.mark.parametrize("kind", ["pictures", "rows", "words"])
def test_pictures_are_augmented_and_tables_regularized(kind):
    inputs = InputScale(is_table=kind == "rows", is_data=kind != "words")
    signs = vitals(
        SMALL, validation_losses=[1.0, 0.9, 1.3, 1.4, 1.5], inputs=inputs,
        training_epoch_losses=[1.0, 0.5, 0.4, 0.3, 0.2], validation_estimate="val_mae",
    )  # fmt: skip
    (symptom,) = [s for s in examine(signs) if s.problem is P.OVERFITTING]
    codes = [remedy.code for remedy in symptom.remedies]
    assert ('ImageDataModule(augment="standard")' in codes) is (kind == "pictures")
    assert ('TabularDataModule(augment={"noise": 0.1})' in codes) is (kind == "rows")
    advice = [remedy.advice for remedy in symptom.remedies]
    assert ("Augment the training data." in advice) is (kind != "rows")
    assert symptom.evidence.endswith(" The validation loss is estimated from val_mae.")


def test_hundreds_of_deviations_are_told_without_an_exponent():
    symptoms = examine(vitals(FLAT, drift=record(act=[843.2] * 8)))
    (symptom,) = [s for s in symptoms if s.problem is P.COVARIATE_SHIFT]
    assert "shift by 840 standard deviations" in symptom.evidence


def test_units_that_huge_steps_have_killed_are_told_once():
    signs = vitals(
        [0.9 + 0.05 * (-1) ** i for i in range(300)], total_updates=[0.3, *[0.15] * 9],
        dead=record(act=[0.1, 0.5, 0.9]),
    )  # fmt: skip
    assert P.DEAD_RELU in found(signs)
    (symptom,) = join_causes(examine(signs))
    assert symptom.problem is P.LEARNING_RATE_TOO_HIGH
    assert symptom.evidence.count("dead") == 1
    assert symptom.measurements["dead_relu/dead_share"] == 0.9


def test_a_penalty_is_no_part_of_what_the_best_constant_has():
    data, beside = (
        [a * b**i + 1e-3 * (i % 3) for i in range(30)] for a, b in ((2.3, 0.7), (1, 0.9))
    )
    signs = vitals(
        [3.3 * 0.97**i for i in range(300)], data_losses=data, other_terms=beside,
        validation_losses=[1.5, 1.2, *[1.0] * 4], validation_epochs=list(range(6)),
        training_epoch_losses=[1.0, 0.5, 0.2, 0.05, 0.03, 0.02],
    )  # fmt: skip
    (evidence,) = [s.evidence for s in examine(signs) if s.problem is P.OVERFITTING]
    assert evidence.endswith(f"; the best constant prediction has {LN10:.4g}.")


def test_a_rise_is_no_overfitting_where_training_does_not_fall():
    rises = [1.0, 0.9, 1.3, 1.4, 1.5]
    falls, stays = [1.0, 0.5, 0.4, 0.3, 0.2], [1.0, 0.5, 0.52, 0.5, 0.49]
    for training, expected in ((falls, True), (stays, False)):
        signs = vitals(SMALL, validation_losses=rises, training_epoch_losses=training)
        assert (P.OVERFITTING in found(signs)) is expected


SLIPS = Objective(
    "regression", "squared", constant_loss=1.7e4, target_variance=1.7e4,
    target_range=(-298.0, 3400.0),
)  # fmt: skip
RARELY_HUGE = [3e5 if i % 20 == 7 else 150.0 for i in range(300)]


def test_a_few_targets_that_are_nearly_all_of_the_loss():
    signs = {"objective": SLIPS, "data_losses": [1.9e4] * 30}
    (symptom,) = join_causes(examine(vitals(RARELY_HUGE, **signs)))
    assert symptom.problem == P.UNSTABLE_LOSS
    assert "Half of the batches have a loss below 150" in symptom.evidence
    assert "26 standard deviations" in symptom.evidence
    for more in (
        {"objective": replace(SLIPS, target_range=(-298.0, 700.0))},
        {"objective": replace(SLIPS, kind="huber")},
        {"objective": replace(SLIPS, target_variance=3e4)},
        {"objective": replace(SLIPS, of_batch=False)},
        {"planned_steps": 100_000},
        {"target_means": [3300.0], "objective": replace(SLIPS, target_range=(3000.0, 3400.0))},
    ):
        assert P.UNSTABLE_LOSS not in found(vitals(RARELY_HUGE, **{**signs, **more}))


def test_one_target_in_fifty_that_lies_as_far_as_all_that_do():
    # Squares of 0.3 and 25: a batch of 16 has one of the latter in three of eleven cases.
    losses = [40.0 if i % 11 in (2, 5, 9) else 0.5 for i in range(300)]
    glitches = Objective(
        "regression", "squared", constant_loss=12.6, target_variance=12.6,
        target_range=(-25.0, 25.0),
    )  # fmt: skip
    large = {"total_updates": [0.012] * 12, "batch_size": 16, "data_losses": losses}
    (symptom,) = join_causes(examine(vitals(losses, objective=glitches, **large)))
    assert symptom.problem == P.UNSTABLE_LOSS
    assert "up to -25, 7 standard deviations from their mean" in symptom.evidence


def test_batch_norm_is_given_half_of_the_training_to_settle():
    early = {
        "fewest_norm_values": 64.0, "validation_epochs": [0, 1, 2],
        "validation_losses": [1.3, 3.3, 1.5], "training_epoch_losses": [1.4, 1.0, 0.7],
    }  # fmt: skip
    assert P.TRAIN_EVAL_MISMATCH not in found(vitals(SMALL, planned_steps=600, **early))
    assert P.TRAIN_EVAL_MISMATCH not in found(vitals(SMALL, planned_steps=400, **early))
    assert not found(vitals(FALLING))


def test_noise_of_the_labels_is_in_the_training_loss_alone():
    noisy = [1.7 - 5e-4 * i + 0.005 * (-1) ** i for i in range(300)]
    signs = {"total_updates": [1.5e-4] * 10}
    assert P.LEARNING_RATE_TOO_LOW in found(vitals(noisy, **signs))
    known = {"validation_losses": [1.0, 0.8, 0.7], "training_epoch_losses": [1.7, 1.65, 1.6]}
    assert P.LEARNING_RATE_TOO_LOW not in found(vitals(noisy, **signs, **known))


@pytest.mark.parametrize(("size", "sick"), [(1, True), (2, False)])
def test_moments_of_single_samples_are_not_those_of_all(size, sick):
    signs = vitals(
        SMALL, batch_size=size, statistics_gap={"norm": 0.5}, fewest_norm_values=576.0,
        planned_steps=300, validation_losses=[0.45, 0.9], training_epoch_losses=[0.2, 0.1],
    )  # fmt: skip
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is sick


def test_what_parameters_in_front_of_the_first_layer_let_through():
    faint = InputScale("head", 1e-6, 5e-3, 1e-11, 5e-4, 80, usual_std=4e-9, is_data=False)
    (symptom,) = join_causes(examine(vitals(FLAT, inputs=faint)))
    assert (symptom.problem, symptom.layer) == (P.POOR_INITIALIZATION, "head")
    assert "the parameters before it let hardly any signal through" in symptom.evidence
    (symptom,) = join_causes(examine(vitals(FLAT, inputs=replace(faint, is_data=True))))
    assert symptom.problem == P.UNNORMALIZED_INPUT
    assert not found(vitals(SMALL, inputs=faint))


ONE_BY_ONE = {
    "batch_size": 1, "planned_steps": 300,
    "total_updates": [0.2, 0.1, 0.08, 0.06, 0.06] + [0.01] * 9,
    "objective": replace(vitals().objective, labels=1.0),
}  # fmt: skip


def test_large_steps_of_one_sample_each():
    half = [1.4 + 0.4 * (-1) ** i for i in range(300)]
    (symptom,) = examine(vitals(half, **ONE_BY_ONE))
    assert symptom.problem == P.UNSTABLE_LOSS
    assert "each sample moves the weights by about 0.01 of their length" in symptom.evidence
    unknown = {"total_updates": [*ONE_BY_ONE["total_updates"], *[math.nan] * 3]}
    assert examine(vitals(half, **{**ONE_BY_ONE, **unknown})) == [symptom]
    for more in (
        {"batch_size": 32},
        {"ranks": 16},
        {"total_updates": [4e-3] * 12},
        {"total_updates": [0.2, 0.1, 0.08] + [1e-3] * 9},
        {"objective": replace(ONE_BY_ONE["objective"], labels=576.0)},  # pixels of one image
        {"data_losses": [0.1] * 30},
        {"step": 9},  # 32 batches a step
        {"planned_steps": 10_000},
    ):
        assert P.UNSTABLE_LOSS not in found(vitals(half, **{**ONE_BY_ONE, **more}))


@pytest.mark.parametrize(
    ("level", "last", "sick"), [(1.4, 2e-3, True), (1.4, 5e-4, False), (0.5, 2e-3, False)]
)
def test_usual_steps_of_one_sample_each_are_too_large_where_much_is_left(level, last, sick):
    course = [level + 0.4 * (-1) ** i for i in range(300)]
    signs = {**ONE_BY_ONE, "total_updates": [0.2, 0.1, 0.08, 0.06, 0.06] + [last] * 9}
    assert (P.UNSTABLE_LOSS in found(vitals(course, **signs))) is sick


@pytest.mark.parametrize(
    ("level", "updates", "sick"),
    [
        (1.4, [0.02] * 12, True),
        (0.5, [0.02] * 12, False),
        (1.4, [0.02] * 11 + [4e-3], False),
    ],
)
def test_steps_of_one_sample_each_that_are_large_all_the_time(level, updates, sick):
    course = [level + 0.4 * (-1) ** i for i in range(300)]
    signs = {**ONE_BY_ONE, "total_updates": updates}
    assert (P.UNSTABLE_LOSS in found(vitals(course, **signs))) is sick


PICTURES = Objective(
    "regression", "squared", constant_loss=0.02, target_variance=0.02, flat_loss=0.04,
    target_shape=(32, 1, 24, 16),
)  # fmt: skip


def test_one_number_for_all_places_is_what_a_convolution_begins_with():
    plateau = [0.04 + 1e-3 * (-1) ** i for i in range(300)]
    signs = {"total_updates": [0.05] * 20, "objective": PICTURES}
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(plateau[:120], **signs))
    far_off = [2 * loss for loss in plateau]
    assert P.LEARNING_RATE_TOO_HIGH in found(vitals(far_off[:120], **signs))
    table = replace(PICTURES, target_shape=(32, 24))
    assert P.LEARNING_RATE_TOO_HIGH in found(vitals(plateau[:120], **{**signs, "objective": table}))
    # And leaves late.
    soon, late = {"planned_steps": 2_000}, {"planned_steps": 300}
    slow = {"total_updates": [1e-3] * 20, "objective": PICTURES}
    assert P.NOT_LEARNING not in found(vitals(plateau, **slow, **soon))
    assert P.NOT_LEARNING in found(vitals(plateau, **slow, **late))


HALF_KNOWN = [1.4 + 0.05 * (-1) ** i for i in range(300)]


@pytest.mark.parametrize(
    ("other", "sick"),
    [
        ({}, True),
        ({"growth": 0.8}, False),
        ({"weight_decay": 0.01}, False),
        ({"total_updates": [0.3] * 9}, False),  # what the first steps have done
        ({"validation_losses": [2.0, 1.9, 1.7, 1.6, 1.5, 1.4]}, False),  # still gets better
        ({"validation_losses": [1.5, 1.4, 1.4, 1.4, 1.4, 1.4]}, True),
    ],
)
def test_a_decay_that_took_half_of_the_weights_where_the_loss_stands(other, sick):
    signs = {"weight_decay": 0.1, "growth": 0.3, "planned_steps": 400, **other}
    signs["training_epoch_losses"] = signs.get("validation_losses", [])
    assert (P.OVER_REGULARIZED in found(vitals(HALF_KNOWN, **signs))) is sick


UP_AGAIN_SLOWLY = [2.3 * 0.97**i for i in range(100)] + [0.15 + 0.004 * i for i in range(200)]


@pytest.mark.parametrize(
    ("inputs", "losses", "sick"),
    [
        ({"drift": 0.1, "growth": 7.5}, UP_AGAIN_SLOWLY, True),
        ({"drift": 3.0, "growth": 1.0}, UP_AGAIN_SLOWLY, True),
        ({"drift": 0.1, "growth": 1.1}, UP_AGAIN_SLOWLY, False),
        ({"drift": 1.5, "growth": 5.0}, SMALL, False),  # a curriculum
        ({"drift": 1.5, "growth": 1.0}, [0.5 + 3e-4 * i for i in range(300)], False),  # by a tenth
        ({"drift": 3.0, "growth": 5.0, "is_data": False}, UP_AGAIN_SLOWLY, False),
        ({}, UP_AGAIN_SLOWLY, False),
    ],
)
def test_inputs_that_have_become_others_and_a_loss_that_pays_for_it(inputs, losses, sick):
    inputs = InputScale("first", rms=1.0, batches=40, sizes=(32, 8), **inputs)
    assert (found(vitals(losses, inputs=inputs)).get(P.COVARIATE_SHIFT) == "warning") is sick
    few = vitals(losses, inputs=replace(inputs, sizes=(1, 8)))
    assert P.COVARIATE_SHIFT not in found(few)


@pytest.mark.parametrize(
    ("drift", "batches", "sick"),
    [
        (3.0, 60, True),
        (1.5, 60, False),  # an augmentation that grows
        (3.0, 200, False),  # two epochs may come in an order of their own
        (3.0, math.inf, False),
    ],
)
def test_inputs_that_are_others_in_each_epoch_though_the_loss_falls(drift, batches, sick):
    inputs = InputScale("first", rms=1.0, batches=40, sizes=(32, 8), drift=drift, growth=1.2)
    signs = vitals(SMALL, inputs=inputs, batches_per_epoch=batches)
    assert (found(signs).get(P.COVARIATE_SHIFT) == "warning") is sick
    # The same epochs in half the steps, each over two batches.
    accumulates = replace(signs, step=150, planned_steps=500)
    assert (found(accumulates).get(P.COVARIATE_SHIFT) == "warning") is sick


@pytest.mark.parametrize(
    ("spread", "samples", "sick"),
    [(1.2, 32, True), (1.2, 2, False), (1.5, 2, True), (9.0, 1, False), (0.9, 32, False)],
)
def test_means_of_few_samples_are_apart_by_chance(spread, samples, sick):
    inputs = InputScale("first", rms=1.0, batches=40, batch_spread=spread, sizes=(samples, 8))
    signs = vitals(FLAT, inputs=inputs, planned_steps=300)
    assert (found(signs).get(P.COVARIATE_SHIFT) == "warning") is sick


@pytest.mark.parametrize("loss", [0.0, 0.4])
def test_a_gap_is_early_though_a_hinge_is_0_for_some_batches_of_the_first_epoch(loss):
    losses = [2.0, *[0.4 + 0.02 * (-1) ** i for i in range(299)]]
    losses[36:48] = [loss] * 12
    checks = {"validation_losses": [1.0, 1.8, 1.7, 1.7], "validation_epochs": [0, 1, 2, 3],
              "training_epoch_losses": [1.0, 0.6, 0.5, 0.4]}  # fmt: skip
    signs = vitals(losses, objective=Objective(kind="hinge", constant_loss=1.0), **checks)
    assert found(replace(signs, batches_per_epoch=60))[P.TRAIN_EVAL_MISMATCH] == "warning"


@pytest.mark.parametrize("shape", [(32, 8), (32, 3, 8, 8)])
def test_each_sample_is_standardized_whatever_its_shape(shape):
    inputs = InputScale("first", rms=1.0, batches=40, batch_spread=1.2, sizes=shape[:2])
    symptoms = examine(vitals(FLAT, inputs=inputs, planned_steps=300))
    (remedies,) = [s.remedies for s in symptoms if s.problem is P.COVARIATE_SHIFT]
    (code,) = [r.code for r in remedies if r.advice == "Standardise each sample separately."]
    torch.manual_seed(0)
    x = eval(code, {"x": 5 + torch.randn(shape), "F": torch.nn.functional})
    torch.testing.assert_close(x.flatten(1).mean(1), torch.zeros(32))


def test_inputs_of_two_samples_from_one_source_are_not_said_to_shift():
    torch.manual_seed(0)
    watch, layer = FirstBatches(), nn.Linear(3, 1)
    for i in range(40):
        watch.number = i
        watch.attach(layer)
        layer(torch.randn(2, 1).mul(0.8).exp().expand(2, 3) + 0.1 * torch.randn(2, 3))
        watch.detach()
    watch.take([watch.news()])
    inputs = watch.input_scale()
    assert inputs.sizes == (2, 3)
    assert P.COVARIATE_SHIFT not in found(vitals(FLAT, inputs=inputs, planned_steps=300))


CHECKED = {
    "validation_losses": [1.1, 0.7, 0.6, 0.8, 0.75], "validation_epochs": list(range(5)),
    "training_epoch_losses": [1.4, 0.9, 0.5, 0.3, 0.2],
}  # fmt: skip


@pytest.mark.parametrize(("share", "sick"), [(0.99, True), (0.1, False)])
def test_moments_of_the_last_batch_alone(share, sick):
    signs = vitals(SMALL, norm_momenta={"norm": share}, fewest_norm_values=400.0, **CHECKED)
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is sick
    by_chance = {**CHECKED, "validation_losses": [2.8, 0.7, 1.6, 0.8, 0.21]}
    signs = vitals(SMALL, norm_momenta={"norm": share}, fewest_norm_values=400.0, **by_chance)
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is sick
    swings = {**CHECKED, "validation_losses": [1.1, 0.9, 0.4, 0.25, 0.9]}
    signs = vitals(SMALL, norm_momenta={"norm": share}, fewest_norm_values=400.0, **swings)
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is sick
    close = {**CHECKED, "validation_losses": [1.4, 0.9, 0.5, 0.31, 0.22]}
    assert P.TRAIN_EVAL_MISMATCH not in found(vitals(SMALL, norm_momenta={"norm": share}, **close))


@pytest.mark.parametrize(("shares", "sick"), [([0.9] * 8, True), ([0.2] * 4 + [0.9] * 4, False)])
def test_one_layer_that_was_shut_all_along(shares, sick):
    stands = [1.25 + 0.02 * (-1) ** i for i in range(300)]
    signs = vitals(stands, saturated=record(gate=shares))
    assert (found(signs)[P.SATURATED_ACTIVATION] == "warning") is sick


@pytest.mark.parametrize(("size", "sick"), [(64, True), (256, False), (0, True)])
@pytest.mark.parametrize("knows", [False, True])
def test_losses_that_may_be_sums_over_batches_of_other_sizes(size, sick, knows):
    """Of a loss that is not known, as of a compiled network, nobody knows what it adds up."""
    signs = vitals(
        [100.0 * 0.97**i for i in range(300)], batch_size=64, validation_batch_size=size,
        validation_epochs=[0, 1, 2, 3, 4, 5],
        validation_losses=[300.0, 250.0, 260.0, 255.0, 240.0, 250.0],
        training_epoch_losses=[90.0, 75.0, 70.0, 60.0, 55.0, 50.0],
    )  # fmt: skip
    if not knows:
        signs = replace(signs, objective=Objective(), data_losses=[])
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is (sick or knows)


@pytest.mark.parametrize(
    ("checks", "sick"),
    [
        ([6.0, 5.0, 4.9, 5.1, 4.8, 4.9], True),
        ([6.0, 5.0, 4.7, 4.0, 3.7, 3.4], False),  # in step, so that the units may differ
        ([6.0, 5.0, 4.9, 5.1], False),  # too few to tell
    ],
)
def test_a_validation_loss_that_may_be_of_other_units(checks, sick):
    losses = [0.9, 0.75, 0.7, 0.6, 0.55, 0.5][: len(checks)]
    signs = vitals(
        FALLING, objective=Objective(), data_losses=[], validation_losses=checks,
        validation_epochs=list(range(len(checks))), training_epoch_losses=losses,
    )  # fmt: skip
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is sick


@pytest.mark.parametrize(
    ("share", "gain", "severity"),
    [(0.95, 0.6, "warning"), (0.95, 0.75, "info"), (0.85, 0.6, "info"), (0.85, 0.4, "warning")],
)
def test_with_hardly_a_unit_left_more_must_be_learned(share, gain, severity):
    losses = [(1 - gain) * LN10 + 0.01 * (-1) ** i for i in range(300)]
    assert found(vitals(losses, dead=record(act=[share])))[P.DEAD_RELU] == severity


@pytest.mark.parametrize(
    ("left", "said", "other", "severity"),
    [
        (0.65, 0.0, {}, "warning"),
        (0.65, 0.15, {}, "warning"),  # a seventh of what there are
        (0.65, 0.25, {}, "info"),
        (0.65, 0.15, {"inputs": InputScale("a", 0, 1, 1, 1, 3, (16, 3))}, "info"),  # of pixels
        (0.8, 0.0, {}, "info"),  # as of a click, of which little can be known
        (0.65, 0.0, {"planned_steps": 400}, "info"),  # They come last.
        (0.65, 0.0, {"wants_order": True}, "info"),
    ],
)
def test_a_rare_label_of_which_much_is_known_is_said_now_and_then(left, said, other, severity):
    share = 1 / 30
    constant = -(math.log(share) * share + (1 - share) * math.log(1 - share))
    labels = Objective(
        "binary", "bce_logits", classes=1, constant_loss=constant,
        target_counts=[2900.0, 100.0], predicted_counts=[3000 - 100 * said, 100 * said],
    )  # fmt: skip
    losses = [constant * (left + 0.01 * (-1) ** i) for i in range(300)]
    signs = vitals(losses, objective=labels, **{"planned_steps": 310, **other})
    assert found(signs)[P.CLASS_IMBALANCE] == severity


@pytest.mark.parametrize(
    ("follows", "share", "severity"),
    [(True, 0.2, "info"), (False, 0.2, "warning"), (True, 0.3, "warning"), (False, 0.05, "info")],
)
def test_an_output_that_the_loss_does_not_use_is_no_branch_that_is_cut_off(
    follows, share, severity
):
    body = Layer("body", 1000, has_gradient=True)
    other = Layer("other", int(1000 * share / (1 - share)), follows=follows)
    losses = [1.5 + 0.01 * (-1) ** i for i in range(300)]
    signs = vitals(losses, layers=[body, other])
    assert found(signs)[P.FROZEN_PARAMETER] == severity


@pytest.mark.parametrize(("upper", "told"), [(1.2, False), (180.0, True), (math.nan, True)])
def test_inputs_are_large_if_a_quarter_of_the_batches_are(upper, told):
    inputs = InputScale("net", 1.0, 180.0, 180.0, 180.0, 1, upper_rms=upper)
    assert (P.UNNORMALIZED_INPUT in found(vitals(FLAT, inputs=inputs))) is told


@pytest.mark.parametrize(("again", "sick"), [(0.85, False), (1.6, True)])
def test_a_single_spike_from_which_the_loss_recovers_is_no_swinging(again, sick):
    windows = [0.7] * 10 + [0.5, 0.6, 0.5, 2.2, 1.2, 0.8, again, 0.7, 0.75, 0.7]
    losses = [mean + 0.02 * (-1) ** i for mean in windows for i in range(15)]
    assert (P.UNSTABLE_LOSS in found(vitals(losses))) is sick
