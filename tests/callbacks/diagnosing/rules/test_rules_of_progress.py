"""Rules that ask what a sign has cost: how much was learned, and whether it stayed."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers.losses import settle
from helpers.vital_signs import FLAT, SMALL, found, record, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.losses.loss_record import LossRecord
from torchvitals.callbacks.diagnosing.vital_signs.signs import InputScale, Layer, Objective

CREEPS = [2.1 + 0.02 * (-1) ** i for i in range(300)]
LOST = [2.3] * 20 + [1.2] * 200 + [2.31 + 0.01 * (-1) ** i for i in range(300)]
UNUSED = [Layer("body", 95, has_gradient=True), Layer("last_backcast", 5)]
PIXELS = InputScale("a", 120.0, 70.0, 60.0, 130.0, 3)
UNKNOWN = Objective("regression", "absolute")
FALLEN = [900.0 * 0.97**i + 20 for i in range(300)]


def rare(losses, **more):
    """A label that one sample in thirty has, and none is said to have."""
    constant = -(math.log(1 / 30) / 30 + 29 / 30 * math.log(29 / 30))
    labels = Objective(
        "binary", "bce_logits", classes=1, constant_loss=constant,
        target_counts=[2900.0, 100.0], predicted_counts=[3000.0, 0.0],
    )  # fmt: skip
    losses = [constant * loss for loss in losses]
    return vitals(losses, objective=labels, planned_steps=400, **more)


LEFT_BEHIND = {
    "validation_losses": [1.5, 1.1, 0.96, 0.95, 0.95, 0.94],
    "training_epoch_losses": [0.9, 0.2, 0.05, 0.03, 0.02, 0.01],
}
CLIPPED = {"clip_norm": 1e-4, "total_gradients": [2.0, 3.0, 4.0]}
THROWN = [2.3, 40.0, 30.0, 20.0, *[1.3 + 0.01 * (-1) ** i for i in range(300)]]
SLOW = [2.31 - 4e-4 * i + 0.003 * (-1) ** i for i in range(320)]

SICK = {
    "a rare label is given up, though something was learned": (
        rare([0.92 + 0.05 * (-1) ** i for i in range(300)]), P.CLASS_IMBALANCE, "warning"),
    "what was known for 200 steps is lost": (
        vitals(LOST, data_losses=LOST[::10], total_updates=[3e-3] * 10), P.LEARNING_RATE_TOO_HIGH,
        "critical"),
    "validation stands where training left it behind": (
        vitals([0.01] * 300, **LEFT_BEHIND), P.OVERFITTING, "warning"),
    "first steps as long as the weights": (
        vitals(THROWN, total_updates=[4.7, 0.2, *[1e-3] * 10]), P.LEARNING_RATE_TOO_HIGH,
        "warning"),
    "a loss that takes thousands of steps more": (
        vitals(SLOW, total_updates=[2.4e-4] * 10), P.LEARNING_RATE_TOO_LOW, "warning"),
    "steps that move nothing, of losses that cannot be judged": (
        vitals(FLAT, one_loss=False, total_updates=[2e-7] * 10, objective=Objective()),
        P.LEARNING_RATE_TOO_LOW, "warning"),
    "dropout that makes the first predictions wide": (
        vitals([0.5] * 300, dropouts=[0.95], prediction_ranges=[9.0] * 30, objective=Objective(
            "regression", "squared", constant_loss=0.5, target_range=(0.0, 1.0))),
        P.OVER_REGULARIZED, "warning"),
    "a bare parameter in no optimiser": (
        vitals(SMALL, forgotten_parameters=["rate"]), P.FROZEN_PARAMETER, "warning"),
    "a rare label is hardly said where decisions count": (
        rare([0.6 + 0.05 * (-1) ** i for i in range(300)], wants_decisions=True),
        P.CLASS_IMBALANCE, "warning"),
    "a decay that outweighs the gradients, though half is learned": (
        vitals([1.0] * 300, weight_decay=0.1, decay_pulls=[1.1] * 5), P.OVER_REGULARIZED,
        "warning"),
    "a decay that halves the weights": (
        vitals(FLAT, weight_decay=1.0), P.OVER_REGULARIZED, "warning"),
    "pixels, of a loss that was huge at first for them": (
        vitals(FALLEN, inputs=PIXELS, objective=UNKNOWN, data_losses=[]), P.UNNORMALIZED_INPUT,
        "warning"),
    "an embedding in no optimiser, though something was learned": (
        vitals([1.9] * 300, forgotten_tables=["words"]), P.FROZEN_PARAMETER, "warning"),
    "an embedding whose optimiser makes no step": (
        vitals([1.9] * 300, idle_tables=["words"]), P.FROZEN_PARAMETER, "warning"),
    "a decay that outweighs what clipping leaves": (
        vitals(FLAT, weight_decay=1e-4, decay_pulls=[9.0] * 5, **CLIPPED), P.OVER_REGULARIZED,
        "warning"),
    "the same, of steps that are as short as the gradients": (
        vitals(FLAT, weight_decay=1e-4, decay_pulls=[9.0] * 5, total_updates=[1e-5] * 10,
               steps_by_gradients=True, **CLIPPED), P.LEARNING_RATE_TOO_LOW, "warning"),
    "predictions as far apart as at first": (
        vitals(FALLEN, prediction_ranges=[5e5, *[90.0] * 29], data_losses=[], objective=Objective(
            "regression", "absolute", target_range=(-3.0, 3.0))),
        P.POOR_INITIALIZATION, "warning"),
    "labels of 0 and 1 for a hinge": (
        vitals(objective=Objective(kind="hinge", target_range=(0.0, 1.0))), P.OUTPUT_LOSS_MISMATCH,
        "critical"),
}  # fmt: skip


@pytest.mark.parametrize(("signs", "problem", "severity"), SICK.values(), ids=SICK.keys())
def test_what_costs_something_is_found(signs, problem, severity):
    assert found(signs).get(problem) == severity


WELL = {
    "validation still falls": vitals([0.01] * 300, **{
        **LEFT_BEHIND, "validation_losses": [2.0, 1.7, 1.4, 1.1, 0.9, 0.8]}),
    "validation is not far above": vitals([0.01] * 300, **{
        **LEFT_BEHIND, "validation_losses": [1.5, 0.6, 0.5, 0.4, 0.4, 0.4]}),
    "first steps as long as the weights that were made good": vitals(
        [*THROWN[:4], *[0.2] * 300], total_updates=[4.7, 0.2, *[1e-3] * 10]),
    "small steps that are as many as it takes": vitals(
        [2.3 * 0.996**i for i in range(300)], total_updates=[2.4e-4] * 10),
    "steps too small to be felt, of what is known": vitals(
        SMALL, total_updates=[2e-7] * 10),
    "a large decay of a loss of which a tenth is all there is to learn": vitals(
        [4.2 * 0.999**i if i < 100 else 3.8 + 0.02 * (-1) ** i for i in range(400)],
        weight_decay=1.0, objective=Objective(), data_losses=[], planned_steps=500),
    "who will click is seldom likelier than not": rare(
        [0.6 + 0.05 * (-1) ** i for i in range(300)]),
    "validation wants the order alone": rare(
        [0.92 + 0.05 * (-1) ** i for i in range(300)], wants_order=True),
    "a usual decay where there is little to learn": vitals(
        [2.3 + 0.02 * (-1) ** i for i in range(60)], weight_decay=0.1, learning_rate_peak=1e-3,
        planned_steps=500),
    "the last of many outputs is not used": vitals(CREEPS, layers=UNUSED),
    "nor before anything was learned": vitals(FLAT[:20], layers=UNUSED),
    "pixels that cost nothing": vitals(SMALL, inputs=PIXELS),
    "labels of -1 and 1 for a hinge": vitals(
        objective=Objective(kind="hinge", target_range=(-1.0, 1.0))),
    "targets that are one number": vitals(
        [0.1] * 300, prediction_ranges=[1.5, 0.1, 0.1], data_losses=[],
        objective=Objective("regression", "squared", target_range=(0.1, 0.1))),
}  # fmt: skip


@pytest.mark.parametrize("signs", WELL.values(), ids=WELL.keys())
def test_what_costs_nothing_is_left_alone(signs):
    assert [p for p, severity in found(signs).items() if severity != "info"] == []


def test_what_is_known_by_heart_but_said_better_than_by_chance_is_over_fitting():
    checks = {"validation_losses": [2.31, 2.5, 2.8, 3.0, 3.2], "validation_scores": [0.3] * 5,
              "training_epoch_losses": [2.2, 1.0, 0.5, 0.2, 0.1]}  # fmt: skip
    assert P.OVERFITTING in found(vitals(SMALL, **checks))
    assert P.INCONSISTENT_LABELS not in found(vitals(SMALL, **checks))
    checks["validation_scores"] = [0.12] * 5
    assert P.INCONSISTENT_LABELS in found(vitals(SMALL, **checks))


TOSSED = {
    "validation_scores": [0.5, 0.8, 0.62, 0.85, 0.6, 0.8, 0.66, 0.86, 0.7, 0.88, 0.64, 0.84],
    "scores_are_accuracies": True, "total_updates": [0.03] * 10, "planned_steps": 400,
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "sick"),
    [
        ({}, True),
        ({"total_updates": [2e-3] * 10}, False),  # usual steps
        ({"total_updates": [*[0.03] * 7, *[1e-3] * 5]}, False),  # let down by a schedule
        ({"planned_steps": 1_000}, False),  # early
        ({"validation_scores": [0.8 + 0.03 * (-1) ** i for i in range(12)]}, False),
        ({"scores_are_accuracies": False}, False),
    ],
)
def test_large_steps_that_toss_the_accuracy_about(other, sick):
    losses = [0.7 + 0.05 * (-1) ** i for i in range(300)]
    signs = vitals(losses, **{**TOSSED, **other})
    assert (P.LEARNING_RATE_TOO_HIGH in found(signs)) is sick


def test_what_was_lost_in_the_first_batch_no_decay_has_outweighed():
    signs = vitals([math.nan] * 300, weight_decay=1.0, data_losses=[])
    assert set(found(signs)) == {P.NON_FINITE}


@pytest.mark.parametrize(("rms", "cause"), [(1.0, False), (6e3, True)])
def test_inputs_in_the_thousands_are_behind_gradients_that_vanish(rms, cause):
    inputs = InputScale("a", rms, rms, rms / 2, rms, 3)
    profile = {"a": 1e-9, "b": 1e-5, "c": 1.0}
    signs = vitals(
        FLAT, inputs=inputs, gradient_profile=profile, layers=[Layer("a", 9, has_gradient=True)],
        first_gradient_profile=list(profile.values()),
    )  # fmt: skip
    first = join_causes(examine(signs))[0].problem
    assert first == (P.UNNORMALIZED_INPUT if cause else P.VANISHING_GRADIENT)


def looked_at(*losses):
    record = LossRecord()
    for loss in losses:
        record.look(loss, 1.0)
        record.add(loss, 1.0)
    settle(record)
    return record.objective


@pytest.mark.parametrize(
    ("weigh", "known"),
    [
        (lambda each, wrong: each.mean(), True),
        (lambda each, wrong: each.sum() / 8, True),
        (lambda each, wrong: (wrong**2 * each).sum() / 8, False),
    ],
    ids=["mean", "sum of each sample", "focal"],
)
def test_a_constants_loss_is_known_unless_the_step_weighs_the_entries(weigh, known):
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(8, 5, generator=generator) < 0.3).float()
    losses = []
    for size in (0.5, 1.0, 4.0):
        logits = (size * torch.randn(8, 5, generator=generator)).requires_grad_() * 1.0
        wrong = torch.where(labels > 0.5, 1 - logits.sigmoid(), logits.sigmoid())
        each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        losses.append(weigh(each, wrong))
    assert (looked_at(*losses).constant_loss > 0) == known


def test_one_target_for_all_is_nothing_to_predict():
    distance = F.mse_loss(torch.randn(8, 3).requires_grad_() * 1.0, torch.full((8, 3), 0.1))
    assert math.isnan(looked_at(distance).constant_loss)


def test_each_of_several_networks_may_be_held_against_the_same_labels():
    logits, labels = torch.randn(8, 6).requires_grad_() * 1.0, torch.ones(8, 1)
    many = F.binary_cross_entropy_with_logits(logits, labels.expand(-1, 6))
    assert looked_at(many).shapes is None
    members = F.mse_loss(logits, labels.expand(-1, 6))
    assert looked_at(members).shapes is None
    single = F.mse_loss(logits[:, :1].expand(-1, 6), torch.randn(8, 6))
    assert looked_at(single).shapes == ((8, 1), (8, 6))


def contrast(samples, *, twice=False, seed=0):
    """Which of the others belongs to each: its place in the batch is its class."""
    generator = torch.Generator().manual_seed(seed)
    rows = samples * (1 + twice)
    logits = torch.randn(rows, rows - twice, generator=generator).requires_grad_() * 1.0
    places = torch.arange(samples).repeat(1 + twice)
    return F.cross_entropy(logits, places[torch.randperm(rows, generator=generator)])


@pytest.mark.parametrize("twice", [False, True])
def test_targets_that_are_places_in_the_batch(twice):
    assert looked_at(*(contrast(16, twice=twice, seed=seed) for seed in range(3))).of_positions


def test_classes_are_no_places():
    generator = torch.Generator().manual_seed(0)
    labels = [torch.randint(16, (16,), generator=generator) for _ in range(3)]
    drawn = looked_at(*(F.cross_entropy(torch.randn(16, 16).requires_grad_(), y) for y in labels))
    assert not drawn.of_positions
    whole = F.cross_entropy(torch.randn(200, 10).requires_grad_(), torch.arange(10).repeat(20))
    assert not looked_at(whole).of_positions
    balanced = F.cross_entropy(torch.randn(20, 10).requires_grad_(), torch.arange(20) % 10)
    assert not looked_at(balanced).of_positions


def test_places_stay_places_after_a_last_batch_of_fewer():
    record = LossRecord()
    for loss in (contrast(16), contrast(9)):
        record.look(loss, 1.0)
        settle(record)
    assert record.objective.of_positions


def test_steps_too_small_to_have_undone_anything_are_not_too_large():
    signs = vitals(LOST, data_losses=LOST[::10], total_updates=[1e-6] * 10)
    assert P.LEARNING_RATE_TOO_HIGH not in found(signs)


def test_a_fall_that_comes_too_late_is_none():
    creeps = [2.3 - 2e-5 * i + 0.001 * (-1) ** (i // 2) for i in range(300)]
    early, late = vitals(creeps), vitals(creeps, planned_steps=310)
    assert early.is_falling
    assert early.falls_in_time
    assert not late.falls_in_time
    # What goes on to learn, if slowly, has labels to learn from.
    assert found(late).keys() >= {P.NOT_LEARNING}
    assert P.INCONSISTENT_LABELS not in found(late)


def test_steps_that_a_schedule_let_down_hide_nothing():
    down = {
        "total_updates": [2e-3] * 30 + [1e-5] * 6, "learning_rate": 1e-5, "planned_steps": 310,
    }  # fmt: skip
    signs = found(vitals(FLAT, **down))
    assert signs[P.INCONSISTENT_LABELS] == "critical"
    assert P.LEARNING_RATE_TOO_LOW not in signs


def test_words_take_a_while_and_are_as_frequent_as_they_are():
    counts = [5000.0] * 4 + [10.0] * 60
    words = Objective(
        "classification", "cross_entropy", classes=64, constant_loss=2.3, target_counts=counts,
        predicted_counts=[c / 10 for c in counts], labels=640.0,
    )  # fmt: skip
    signs = found(
        vitals(FLAT, objective=words, inputs=InputScale(sizes=(32, 20)), planned_steps=310)
    )
    assert P.INCONSISTENT_LABELS not in signs
    assert P.CLASS_IMBALANCE not in signs
    assert signs[P.NOT_LEARNING] == "critical"


def test_a_training_whose_steps_nobody_sees_has_no_frozen_layers():
    for seen in ({}, {"has_gradient": True, "stepped": False}):
        layers = [Layer("a", 9, **seen), Layer("b", 9, **seen)]
        assert P.FROZEN_PARAMETER not in found(vitals(SMALL, layers=layers))
        assert found(vitals(FLAT, layers=layers))[P.FROZEN_PARAMETER] == "warning"


def test_norms_that_are_left_in_evaluation_mode():
    assert (
        found(vitals(FLAT, norms_in_evaluation_mode=["bn1", "bn2"]))[P.TRAIN_EVAL_MISMATCH]
        == "warning"
    )
    assert P.TRAIN_EVAL_MISMATCH not in found(vitals(SMALL, norms_in_evaluation_mode=["bn1"]))


@pytest.mark.parametrize(
    ("momentum", "gap", "planned", "sick"),
    [
        (1e-3, 0.5, 500, True),
        (1e-3, 0.1, 500, False),
        (1e-2, 0.5, 500, False),
        (1e-3, 0.5, 5_000, False),
        (1e-3, 0.5, math.inf, False),
        (1.0, 2.0, 500, False),
    ],
)
def test_running_moments_that_do_not_arrive_need_no_validation(momentum, gap, planned, sick):
    signs = vitals(
        SMALL, planned_steps=planned, norm_momenta={"norm": momentum}, statistics_gap={"norm": gap}
    )
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is sick


@pytest.mark.parametrize(
    ("momentum", "planned", "sick"),
    [
        (0.01, 2_000, False),  # Keras' 0.99: five in a hundred are left of the beginning
        (0.01, 350, True),  # three in a hundred at the end
        (0.1, 2_000, True),
        (1e-4, 2_000, True),
    ],
)
def test_running_moments_that_will_arrive_are_given_time(momentum, planned, sick):
    checks = {"validation_losses": [4.0] * 4, "training_epoch_losses": [0.2] * 4,
              "validation_epochs": list(range(4))}  # fmt: skip
    signs = vitals(
        SMALL, planned_steps=planned, norm_momenta={"norm": momentum}, fewest_norm_values=400.0,
        statistics_gap={"norm": 2.0}, **checks,
    )  # fmt: skip
    assert (P.TRAIN_EVAL_MISMATCH in found(signs)) is sick


@pytest.mark.parametrize(
    ("gains", "gain", "sick"),
    [
        ([5.8, 5.8, 5.8], 0.0, True),
        ([0.01, 0.01, 0.01], 0.0, True),
        ([5.8, 5.8, 5.8], 0.8, False),
        ([1.4, 1.4, 5.8], 0.0, False),
        ([3.0, 3.0, 3.0], 0.0, False),
        ([math.nan] * 3, 0.0, False),
    ],
)
def test_weights_drawn_far_too_large_or_small_are_named_where_little_is_learned(gains, gain, sick):
    layers = [Layer(f"layer{i}", 100, weight_gain=size) for i, size in enumerate(gains)]
    losses = [2.3 * (1 - gain) + 0.05 * (-1) ** i for i in range(300)]
    signs = vitals(losses, layers=[replace(layer, has_gradient=True) for layer in layers])
    assert (P.POOR_INITIALIZATION in found(signs)) is sick


@pytest.mark.parametrize(("times", "sick"), [(1.0, True), (2.0, False)])
def test_a_validation_loss_of_other_units_is_held_against_no_constant(times, sick):
    soft = Objective("binary", "bce_logits", classes=4, constant_loss=0.56)
    checks = [times * value for value in (0.73, 0.68, 0.65, 0.62, 0.61, 0.61)]
    training = [0.75, 0.65, 0.59, 0.55, 0.54, 0.53]
    signs = vitals(
        [0.53 + 0.01 * (-1) ** i for i in range(300)], objective=soft, validation_losses=checks,
        training_epoch_losses=training, planned_steps=500,
    )  # fmt: skip
    assert (P.INCONSISTENT_LABELS in found(signs)) is sick


@pytest.mark.parametrize(
    ("rates", "sick"),
    [([0.6] * 3, True), ([0.5] * 4, True), ([0.5, 0.5], False), ([0.1] * 40, False)],
)
def test_what_dropout_lets_through_in_several_places(rates, sick):
    creeps = [2.2 - 1e-3 * i + 0.02 * (-1) ** i for i in range(300)]
    assert (P.OVER_REGULARIZED in found(vitals(creeps, dropouts=rates))) is sick


@pytest.mark.parametrize("gain", [0.6, -0.2])
def test_losses_that_are_only_looked_at_now_and_then_may_say_that_all_is_well(gain):
    dead = record(relu=[0.2, 0.6, 0.6, 0.6])
    looked_at = [2.3 * (1 - gain)] * 30
    signs = vitals([math.nan] * 300, one_loss=False, data_losses=looked_at, dead=dead)
    assert (found(signs).get(P.DEAD_RELU, "info") == "info") is (gain > 0)


def test_a_loss_that_was_lost_once_at_first_leaves_the_others_to_go_by():
    signs = {"objective": Objective(), "data_losses": [], "planned_steps": 400}
    assert found(vitals([2.3, math.inf, *FLAT], **signs))[P.NOT_LEARNING] == "critical"


def test_first_losses_that_are_not_finite_are_none_to_go_by():
    losses = [*[math.nan] * 50, *[2.3] * 250]
    found(vitals(losses, data_losses=[2.3] * 20, total_updates=[5.0, 2.0, *[1e-3] * 10]))


@pytest.mark.parametrize(("data_loss", "sick"), [(1.5, False), (2.0, True)])
def test_a_training_loss_of_smoothed_labels_is_no_dropouts(data_loss, sick):
    checks = {"validation_losses": [1.2] * 5, "training_epoch_losses": [2.0] * 5,
              "validation_epochs": list(range(5)), "dropouts": [0.5]}  # fmt: skip
    losses = [2.0 + 0.02 * (-1) ** i for i in range(300)]
    signs = vitals(losses, data_losses=[data_loss] * 30, **checks)
    assert (P.OVER_REGULARIZED in found(signs)) is sick


@pytest.mark.parametrize(
    ("checks", "sick"),
    [
        ([2.30 - 0.02 * i for i in range(9)], True),
        ([2.14 + 0.16 * 0.6**i for i in range(9)], False),  # slower and slower
        ([*[2.30 - 0.02 * i for i in range(8)], 2.20], False),
        ([2.30 - 0.02 * i for i in range(7)], False),
    ],
    ids=["as ever", "slower", "up again", "too few"],
)
def test_a_validation_loss_that_falls_as_ever_where_noise_hides_the_training_loss(checks, sick):
    noisy = [2.3 - 0.0005 * i + 0.3 * math.sin(7 * i * i) for i in range(300)]
    signs = vitals(
        noisy, validation_losses=checks, training_epoch_losses=checks, planned_steps=320,
        total_updates=[1.2e-3] * 12,
    )  # fmt: skip
    assert (P.LEARNING_RATE_TOO_LOW in found(signs)) is sick
    assert P.LEARNING_RATE_TOO_LOW not in found(replace(signs, planned_steps=1000))


STEADY = [2.3 - 0.004 * i for i in range(300)]
SIGMOIDS = {
    "saturated": record(first=[0.0] * 6, second=[0.0] * 6),
    "variances": record(first=[0.04, 0.06, 0.1] * 2, second=[0.01, 0.03, 0.1] * 2),
    "planned_steps": 320,
}


def test_hidden_sigmoids_that_make_a_training_late():
    signs = vitals(STEADY, **SIGMOIDS)
    (symptom,) = [s for s in examine(signs) if s.problem is P.VANISHING_GRADIENT]
    assert (symptom.severity, symptom.layer) == ("warning", "first")
    assert "is falling as fast as ever" in symptom.evidence


@pytest.mark.parametrize(
    "other",
    [
        {"variances": record(first=[0.2, 0.2, 0.2], second=[0.1, 0.1, 0.1])},  # tanh
        {"planned_steps": 1000},
        {"saturating_outputs": 2},  # none of them is hidden
        {"data_losses": [0.5] * 30},  # good enough
    ],
)
def test_sigmoids_that_are_no_reason(other):
    assert P.VANISHING_GRADIENT not in found(vitals(STEADY, **{**SIGMOIDS, **other}))
    slows = [2.3 * 0.99**i for i in range(300)]
    assert P.VANISHING_GRADIENT not in found(vitals(slows, **SIGMOIDS))


@pytest.mark.parametrize(("steps", "sick"), [(40, False), (99, False), (120, True)])
def test_nothing_is_said_of_some_dozen_steps(steps, sick):
    losses = [2.3 + 0.05 * (-1) ** i for i in range(steps)]
    assert (P.NOT_LEARNING in found(vitals(losses, planned_steps=steps))) is sick


@pytest.mark.parametrize(("loss", "words"), [(2.29, "hardly better than"), (2.32, "no better")])
def test_a_loss_below_that_of_a_constant_is_not_said_to_be_no_better(loss, words):
    noisy = [loss + 0.05 * (-1) ** i for i in range(300)]
    signs = vitals(noisy, data_losses=noisy[:30], planned_steps=400, recurrent=True)
    (symptom,) = [s for s in examine(signs) if s.problem is P.NOT_LEARNING]
    assert words in symptom.evidence


@pytest.mark.parametrize(("of_positions", "severity"), [(True, "info"), (False, "warning")])
def test_a_contrastive_loss_that_stays_high_is_no_harm_of_silent_units(of_positions, severity):
    losses = [1.4 + 0.001 * i + 0.05 * (-1) ** i for i in range(300)]
    objective = replace(vitals().objective, of_positions=of_positions)
    silent = {"dead": record(relu=[0.1, 0.6, 0.6]), "dormant": record(gelu=[0.1] + [0.7] * 6)}
    signs = found(vitals(losses, objective=objective, **silent))
    assert signs[P.DEAD_RELU] == signs[P.DORMANT_UNITS] == severity
