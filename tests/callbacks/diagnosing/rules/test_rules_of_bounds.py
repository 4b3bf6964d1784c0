"""What a network cannot get past: a bound, a batch of one, a half shut layer."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.losses import settle
from helpers.vital_signs import FLAT, SMALL, found, record, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.losses.loss_record import LossRecord
from torchvitals.callbacks.diagnosing.vital_signs.signs import (
    InputScale,
    Layer,
    Objective,
    SideInput,
)

# The mean square around 3.5, and what one reaches who says 1 of all.
STARS = Objective(
    "regression", "squared", constant_loss=1.2, target_variance=1.2, target_range=(1.0, 5.0),
    predicted_range=(-0.4, 0.999),
)  # fmt: skip
TOO_LOW = [7.4 + 0.2 * (-1) ** i for i in range(300)]


def stars(losses=TOO_LOW, means=(3.5,), **more):
    return vitals(losses, objective=replace(STARS, **more), target_means=list(means))


@pytest.mark.parametrize(
    ("means", "span"),
    [([3.5], (-0.4, 0.999)), ([-3.5], (-0.9999, 0.2)), ([-3.5], (0.0, 2.0))],
)
def test_predictions_that_stop_short_of_the_targets_are_bounded(means, span):
    assert found(stars(means=means, predicted_range=span))[P.OUTPUT_LOSS_MISMATCH] == "critical"


@pytest.mark.parametrize(
    "signs",
    [
        {"predicted_range": (-0.4, 1.3)},  # gets past it
        {"predicted_range": (-0.4, 0.7)},  # is on its way
        {"means": [0.4]},  # has nowhere further to go
        {"losses": [0.3 + 0.01 * (-1) ** i for i in range(300)]},  # learns all the same
        {"losses": TOO_LOW[:60]},  # had no time
        {"losses": [9.0 - 0.005 * i for i in range(300)]},  # passes by
    ],
)
def test_what_goes_on_or_has_come_near_enough_is_not_bounded(signs):
    assert P.OUTPUT_LOSS_MISMATCH not in found(stars(**signs))


def test_the_range_of_predictions_is_that_of_all_batches():
    weight = torch.tensor(1.0, requires_grad=True)
    batches = [torch.tensor([0.5, -2.0]), torch.tensor([0.1, 3.0]), torch.tensor([0.0, 0.2])]
    records = LossRecord()
    for x in batches:
        records.look(torch.nn.functional.mse_loss(weight * x, torch.ones(2)), 1.0)
        settle(records)
    assert records.objective.predicted_range == (-2.0, 3.0)
    again = LossRecord()
    again.load_state_dict(records.state_dict())
    for x in (batches[0], torch.tensor([math.nan, 0.3])):
        again.look(torch.nn.functional.mse_loss(weight * x, torch.ones(2)), 1.0)
        settle(again)
        assert again.objective.predicted_range == (-2.0, 3.0)


def test_a_checkpoint_from_before_predictions_were_kept_goes_on():
    weight = torch.tensor(1.0, requires_grad=True)
    records = LossRecord()
    records.look(torch.nn.functional.mse_loss(weight * torch.ones(2), torch.zeros(2)), 1.0)
    records.take([records.news()])
    state = records.state_dict()
    (row,) = state["fresh"]
    del row["predicted_min"], row["predicted_max"], state["objective"]["predicted_range"]
    again = LossRecord()
    again.load_state_dict(state)
    again.judge()
    assert again.objective.target_range == (0.0, 0.0)
    assert not again.objective.predicted_range[0] <= again.objective.predicted_range[1]


FALLING_LITTLE = [2.3 - 2e-4 * i + 0.005 * (-1) ** i for i in range(300)]
PRICES = {
    "objective": replace(
        STARS, constant_loss=2.4e9, target_variance=2.4e9, target_range=(2.1e5, 4.9e5),
        predicted_range=(0.0, 2.3e4),
    ),
    "target_means": [3.4e5], "total_updates": [2e-3] * 10, "planned_steps": 300,
}  # fmt: skip
OUT_OF_REACH = "at this pace they will not get there"
FAR_OFF = [1.1e11 * (1 + 0.05 * (-1) ** i) for i in range(300)]


def test_targets_that_no_prediction_has_come_near_are_out_of_reach():
    (symptom,) = join_causes(examine(vitals(FAR_OFF, **PRICES)))
    assert (symptom.problem, symptom.severity) == (P.NOT_LEARNING, "critical")
    assert symptom.remedies[0].code == "TabularDataModule(standardize_target=True)"
    assert OUT_OF_REACH in symptom.evidence


@pytest.mark.parametrize(
    "targets",
    [
        {"target_range": (-4.9e5, -2.1e5), "predicted_range": (-900, 0.0)},
        {"target_range": (-9e5, 9e5), "target_variance": 4e10, "predicted_range": (-900, 900)},
        {"predicted_range": (0.0, 3e5)},  # not one beyond the mean, at the end
    ],
)
def test_targets_of_any_sign_are_out_of_reach(targets):
    signs = {**PRICES, "objective": replace(PRICES["objective"], **targets)}
    assert OUT_OF_REACH in examine(vitals(FAR_OFF, **signs))[0].evidence


@pytest.mark.parametrize(
    "more",
    [
        {"objective": replace(PRICES["objective"], predicted_range=(0.0, 3.6e5))},  # came there
        {"objective": replace(PRICES["objective"], target_variance=0.01), "target_means": [0.4]},
        {"total_updates": [1e-4] * 10},  # which is a matter of the rate
        {"planned_steps": 1000},  # where layers grow together, a tenth of the steps go further
        {"planned_steps": math.inf},
        {"total_updates": []},
        {"objective": Objective("classification", "cross_entropy", classes=1000, constant_loss=5.0,
                                target_range=(100.0, 199.0))},
    ],
)  # fmt: skip
def test_what_is_near_or_would_be_with_more_or_larger_steps_is_not_out_of_reach(more):
    signs = vitals(FAR_OFF, **{**PRICES, **more})
    assert not any(OUT_OF_REACH in symptom.evidence for symptom in examine(signs))


ONE_BY_ONE = {
    "batch_size": 1,
    "objective": Objective("regression", "squared", constant_loss=1.0, labels=1.0),
    "validation_losses": [0.4, 0.5, 0.2, 0.45],
    "training_epoch_losses": [0.35, 0.31, 0.33, 0.32],
}
NOISY = [0.3 + 0.25 * (-1) ** i for i in range(600)]


def test_a_batch_of_one_is_found_where_validation_goes_up_and_down():
    (symptom,) = examine(vitals(NOISY, **ONE_BY_ONE))
    assert (symptom.problem, symptom.severity) == (P.UNSTABLE_LOSS, "warning")
    assert symptom.remedies[0].code == "DataLoader(dataset, batch_size=32)"


def test_so_are_batches_of_very_few():
    few = {"batch_size": 4, "objective": replace(ONE_BY_ONE["objective"], labels=4.0)}
    (symptom,) = examine(vitals(NOISY, **{**ONE_BY_ONE, **few}))
    assert symptom.evidence.startswith("A batch has 4 samples. The training loss no longer falls")


@pytest.mark.parametrize(
    "more",
    [
        {"batch_size": 16},
        {"objective": replace(ONE_BY_ONE["objective"], labels=50.0)},  # a picture's pixels
        {"objective": replace(ONE_BY_ONE["objective"], labels=math.nan)},  # a loss of one's own
        {"validation_losses": [0.4, 0.39, 0.41, 0.4]},
        {"validation_losses": [0.9, 0.6, 0.45, 0.4]},
        {"validation_losses": [0.62, 0.47, 0.455, 0.456]},  # which is there
        {"validation_losses": [0.3, 0.4, 0.52, 0.7]},  # over-fitting
        {"step": 75},  # whose gradients are added up over eight
    ],
)
def test_a_batch_of_one_that_does_no_harm_is_left_alone(more):
    assert P.UNSTABLE_LOSS not in found(vitals(NOISY, **{**ONE_BY_ONE, **more}))


LOUD = [Layer("front", 600, weight_gain=10.0), Layer("body", 3000, weight_gain=0.58)]
HALF_SHUT = record(tanh=[0.6] * 5)
CREEPS = [1.5 + 0.02 * (-1) ** i for i in range(300)]


def test_a_gate_behind_a_loud_layer_in_the_midst_is_no_fault():
    behind = vitals(CREEPS, saturated=HALF_SHUT, layers=LOUD[::-1])
    assert P.SATURATED_ACTIVATION not in found(behind)


def test_weights_drawn_too_large_are_enough_of_a_reason_for_what_they_half_close():
    shut = vitals(CREEPS, saturated=HALF_SHUT, layers=LOUD)
    assert found(shut)[P.SATURATED_ACTIVATION] == "warning"
    usual = [replace(LOUD[0], weight_gain=1.4), LOUD[1]]
    assert P.SATURATED_ACTIVATION not in found(replace(shut, layers=usual))
    assert P.SATURATED_ACTIVATION not in found(vitals(SMALL, saturated=HALF_SHUT, layers=LOUD))
    # Where nobody knows how much was learned, as of two networks in a game.
    game = vitals([-loss for loss in CREEPS], objective=Objective(), data_losses=[])
    assert math.isnan(game.gain)
    assert P.SATURATED_ACTIVATION not in found(replace(game, saturated=HALF_SHUT, layers=LOUD))


STUCK = [2.3 + 0.03 * (-1) ** i for i in range(60)]


def moved(losses):
    return vitals(losses, planned_steps=len(losses), total_updates=[3e-3] * 10)


def test_what_was_learned_in_a_few_batches_and_is_gone_was_undone_by_the_steps():
    learns = [2.3, 2.2, 2.0, 1.9, 1.8, 1.7, 3.6]
    (symptom, *_) = join_causes(examine(moved([*STUCK[:15], *learns, *STUCK])))
    assert symptom.problem == P.LEARNING_RATE_TOO_HIGH
    # A single lucky batch is none, nor are batches as uneven as the later ones.
    assert P.LEARNING_RATE_TOO_HIGH not in found(moved([*STUCK[:15], 1.7, *STUCK]))
    uneven = [2.3 + 0.5 * (-1) ** i for i in range(60)]
    assert P.LEARNING_RATE_TOO_HIGH not in found(moved([*STUCK[:15], *learns, *uneven]))


@pytest.mark.parametrize(
    ("level", "more", "sick"),
    [
        (2.3, {}, True),
        (0.4, {}, False),  # that has learned most
        (2.3, {"one_loss": False}, False),
        (2.3, {"total_updates": [5e-4] * 10}, False),
    ],
)
def test_what_was_learned_and_forgotten_was_lost_to_steps_that_are_not_small(level, more, sick):
    losses = [2.3, *[1.2] * 100, *[level + 0.01 * (-1) ** i for i in range(399)]]
    signs = vitals(losses, **{"total_updates": [3e-3] * 10, **more})
    assert (P.LEARNING_RATE_TOO_HIGH in found(signs)) is sick


LOST_FIRST = [*[2.3 + 0.01 * (-1) ** i for i in range(200)], *[2.0 - 0.002 * i for i in range(100)]]
PROFILE = {name: 1e-2 for name in "abcd"}
FIRST = [1e-7, 1e-6, 1e-5, 1e-2]
LOST = {"first_gradient_profile": FIRST, "gradient_profile": PROFILE, "planned_steps": 300}


def test_gradients_that_were_lost_for_most_of_a_training_are_told_when_they_are_back():
    signs = vitals(LOST_FIRST, **LOST)
    (symptom,) = (s for s in examine(signs) if s.problem == P.VANISHING_GRADIENT)
    assert (symptom.severity, symptom.layer) == ("warning", "b")
    assert symptom.evidence.startswith("For the first 65% of the training nothing was learned")
    # Of a long training that is next to nothing.
    assert P.VANISHING_GRADIENT not in found(replace(signs, planned_steps=10_000))


@pytest.mark.parametrize(
    ("losses", "first"),
    [
        ([*LOST_FIRST[:30], *[2.0 - 0.002 * i for i in range(270)]], FIRST),  # soon over
        (LOST_FIRST, [1e-3, 1e-3, 2e-3, 1e-2]),  # slow for another reason
        ([*LOST_FIRST[:200], *[0.9] * 100], FIRST),  # made good
        ([2.3 + 0.01 * (-1) ** i for i in range(300)], FIRST),  # nor has it to do with the rest
    ],
)
def test_what_was_lost_for_a_while_and_made_good_is_no_fault(losses, first):
    signs = vitals(losses, **{**LOST, "first_gradient_profile": first})
    assert P.VANISHING_GRADIENT not in found(signs)


HALF_WAY = [1.0 + 0.02 * (-1) ** i for i in range(300)]
KILLED = {
    "dead": record(relu=[0.7, 0.75]), "dormant": record(relu=[0.1, 0.8]),
    "total_updates": [0.3] * 5 + [5e-3] * 8,
}  # fmt: skip


def test_units_that_the_first_steps_have_killed_were_alive_before_the_first_window():
    (symptom, *_) = join_causes(examine(vitals(HALF_WAY, **KILLED)))
    assert symptom.problem == P.LEARNING_RATE_TOO_HIGH
    assert "75% of relu's units are dead" in symptom.evidence
    always = {**KILLED, "dormant": record(relu=[0.7, 0.8])}
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(HALF_WAY, **always))


FAINT = [Layer(name, 500, has_gradient=True, weight_gain=0.008) for name in "abcd"]


def test_weights_drawn_too_small_are_the_reason_for_gradients_lost_from_the_start():
    signs = vitals(
        FLAT[:120], layers=FAINT, first_gradient_profile=FIRST,
        gradient_profile=dict(zip("abcd", FIRST, strict=True)),
    )  # fmt: skip
    (symptom,) = (s for s in join_causes(examine(signs)) if s.severity != "info")
    assert symptom.problem == P.POOR_INITIALIZATION
    assert "a layer scales its signal by 0.008" in symptom.evidence
    assert "Gradients vanish" in symptom.evidence
    usual = [replace(layer, weight_gain=0.58) for layer in FAINT]
    (symptom,) = join_causes(examine(replace(signs, layers=usual)))
    assert symptom.problem == P.VANISHING_GRADIENT


@pytest.mark.parametrize(("level", "blamed"), [(4.0, True), (2.1, False)])
def test_shut_outputs_and_a_loss_above_a_constant_tell_of_steps_that_are_less_than_huge(
    level, blamed
):
    losses = [2.3, *[level + 0.3 * (-1) ** i for i in range(299)]]
    signs = vitals(losses, saturated=record(a=[0.1, 0.95]), total_updates=[0.05] * 6 + [2e-3] * 9)
    assert (P.LEARNING_RATE_TOO_HIGH in found(signs)) == blamed


@pytest.mark.parametrize("side", [("bce_logits", "sigmoid"), ("cross_entropy", "softmax")])
def test_a_loss_beside_the_first_that_does_not_fit_is_told_at_once(side):
    (symptom,) = examine(vitals(SMALL[:5], side_losses=[side]))
    assert (symptom.problem, symptom.reports) == (P.OUTPUT_LOSS_MISMATCH, 1)
    assert symptom.evidence.startswith("One of several losses does not fit.")
    assert side[1] in symptom.evidence
    assert not examine(vitals(SMALL[:5], side_losses=[("bce_logits", "gelu")]))
    # Before the first step of several optimisers, which may follow one loss.
    (symptom,) = examine(vitals(SMALL[:5], side_losses=[side], objective=Objective()))
    assert "several" not in symptom.evidence
    assert side[1] in symptom.evidence


def test_raw_inputs_are_the_reason_for_predictions_that_are_far_apart():
    raw = InputScale("fc", 500.0, 300.0, 200.0, 600.0, 3)
    wide = replace(STARS, constant_loss=1.2, predicted_range=(-900.0, 900.0))
    signs = vitals(
        TOO_LOW, objective=wide, target_means=[3.5], inputs=raw, prediction_ranges=[900.0] * 9
    )
    problems = {s.problem for s in examine(signs) if s.is_root}
    assert problems == {P.POOR_INITIALIZATION}
    assert join_causes(examine(signs))[0].problem == P.UNNORMALIZED_INPUT


def test_heads_side_by_side_are_no_explosion():
    heads = {"body.0": 3e5, "body.2": 3e4, "income": 3e6, "class": 40.0}
    assert P.EXPLODING_GRADIENT not in found(vitals(FLAT, gradient_profile=heads))
    # With three layers there is nothing to tell heads from a body by.
    few = {"body": 3e5, "head": 3e4, "class": 1.0}
    assert P.EXPLODING_GRADIENT in found(vitals(FLAT, gradient_profile=few))


def test_what_a_network_makes_its_own_targets_of_may_grow():
    targets = Objective("regression", "huber", constant_loss=1.0, target_variance=1.0)
    signs = {"target_spreads": [0.05] * 20, "objective": targets}
    assert P.UNSTABLE_LOSS in found(vitals(FLAT, **signs))
    signs["objective"] = replace(targets, of_batch=False)
    assert P.UNSTABLE_LOSS not in found(vitals(FLAT, **signs))


def test_targets_of_each_step_of_a_series_are_alike():
    series = Objective("regression", "huber", constant_loss=1.0, target_variance=1.0, labels=64.0)
    signs = {"target_spreads": [0.05] * 20, "objective": series}
    assert P.UNSTABLE_LOSS in found(vitals(FLAT, inputs=InputScale(sizes=(64, 1)), **signs))
    assert P.UNSTABLE_LOSS not in found(vitals(FLAT, inputs=InputScale(sizes=(8, 8)), **signs))


def test_a_warm_up_that_takes_too_long_is_to_be_shortened():
    rates = {"learning_rate": 9e-5, "learning_rate_peak": 9e-5, "learning_rate_given": 2e-3}
    (symptom,) = examine(vitals(FALLING_LITTLE, total_updates=[5e-5] * 10, **rates))
    assert symptom.problem == P.LEARNING_RATE_TOO_LOW
    assert "reached a learning rate of 9e-05 (of 0.002)" in symptom.evidence
    assert symptom.remedies[0].code == '{"scheduler": scheduler, "interval": "step"}'
    rates["learning_rate_given"] = 9e-5
    (symptom,) = examine(vitals(FALLING_LITTLE, total_updates=[5e-5] * 10, **rates))
    assert symptom.remedies[0].code == "lr=0.0009"
    assert "schedule" not in symptom.evidence


@pytest.mark.parametrize(("variance", "gain", "sick"), [(0.2, 5.0, False), (0.2, 9.0, True),
                                                        (0.8, 5.0, True)])  # fmt: skip
def test_sigmoids_are_drawn_four_times_as_large(variance, gain, sick):
    layers = [Layer(name, 600, weight_gain=gain) for name in "ab"]
    shut = {"saturated": record(act=[0.1] * 6), "variances": record(act=[variance] * 6)}
    assert (P.POOR_INITIALIZATION in found(vitals(FLAT, layers=layers, **shut))) is sick


def test_states_that_grow_are_no_raw_column():
    raw = SideInput(rms=900.0, largest=5e4, usual=1.0, is_data=False)
    grown = SideInput(rms=1e8, largest=5e8, usual=5e3, is_data=False)
    assert raw.is_raw
    assert not grown.is_raw
    assert SideInput(rms=1e8, largest=5e8, usual=5e3, is_data=True).is_raw


@pytest.mark.parametrize(
    ("gain", "level", "at_first", "severity"),
    [
        (12.0, 0.6, 0.9, "warning"), (0.58, 0.6, 0.9, "info"), (12.0, 0.6, 0.6, "warning"),
        # Where all is learned by heart, little of it carries over.
        (12.0, 0.1, 0.9, "warning"), (12.0, 0.1, 0.3, "info"),
    ],
)  # fmt: skip
def test_what_large_weights_have_shut_from_the_start_costs_some_of_what_there_was(
    gain, level, at_first, severity
):
    layers = [Layer(name, 3000, has_gradient=True, weight_gain=gain) for name in "abc"]
    shut = record(first=[0.3, 0.3], second=[at_first, 0.92], third=[0.95, 0.96])
    signs = vitals([level + 0.01 * (-1) ** i for i in range(300)], layers=layers, saturated=shut)
    assert found(signs)[P.SATURATED_ACTIVATION] == severity


def test_a_window_that_is_low_by_chance_does_not_end_a_plateau():
    lucky = [*LOST_FIRST[:15], *[2.2] * 15, *LOST_FIRST[30:]]
    (symptom,) = (s for s in examine(vitals(lucky, **LOST)) if s.problem == P.VANISHING_GRADIENT)
    assert symptom.evidence.startswith("For the first 65% of the training nothing was learned")
