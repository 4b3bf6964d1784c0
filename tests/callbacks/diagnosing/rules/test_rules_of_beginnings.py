"""Rules on how a training began: its weights as drawn, its first steps, its first validations."""

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.vital_signs import FALLING, FLAT, LN10, SMALL, found, record, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import InputScale, Layer, Objective


def drawn(*gains, **more):
    """Layers of 100 weights each with these gains; the last one is the output."""
    return [
        Layer(str(i), 100, has_gradient=True, weight_gain=gain, is_last=i == len(gains) - 1, **more)
        for i, gain in enumerate(gains)
    ]


SINCE = np.arange(300)
LOST = [2.3, *[4.0 - 0.003 * i + 0.01 * (-1) ** i for i in range(299)]]
HALF = [1.4 + 0.01 * (-1) ** i for i in range(300)]
NOT_YET = {"planned_steps": 1000, "fewest_norm_values": 64.0}
BAD_CHECKS = {"validation_losses": [2.9, 2.8, 2.7], "training_epoch_losses": [2.0, 0.9, 0.4]}
CREEPS = [2.32 - 0.0001 * i + 0.1 * (-1) ** (i // 2) for i in range(300)]
CREEPING = {
    "total_updates": [1.5e-4] * 9, "validation_losses": [2.31, 2.308, 2.306, 2.304, 2.302],
    "training_epoch_losses": [2.31] * 5,
}  # fmt: skip

SICK = {
    "all constant": (
        vitals(FLAT, layers=drawn(0.0, 0.0, 0.0)), P.SYMMETRIC_WEIGHTS, "critical"),
    "a head alone is not": (
        vitals(HALF, layers=drawn(0.0, 0.0, 0.0, 0.6)), P.SYMMETRIC_WEIGHTS, "critical"),
    "hundredths of what they should be": (
        vitals(HALF, layers=drawn(0.01, 0.01, 0.01)), P.POOR_INITIALIZATION, "warning"),
    "gradients pile up": (vitals(HALF, uncleared=4), P.EXPLODING_GRADIENT, "critical"),
    "gradients pile up, and it does well for now": (
        vitals([0.01] * 300, uncleared=4), P.EXPLODING_GRADIENT, "info"),
    "a rate of 0 for half of the training": (
        vitals(HALF, planned_steps=400, layers=[*drawn(0.6, rated=False), *drawn(0.6)]),
        P.FROZEN_PARAMETER, "warning"),
    "worse than before the first step": (
        vitals(LOST, data_losses=LOST[::10], total_updates=[3.0, 0.9, 0.4, 0.2, 0.1] + [5e-3] * 5),
        P.LEARNING_RATE_TOO_HIGH, "critical"),
    "units killed by the first steps": (
        vitals(HALF, dead=record(act=[0.0, 0.9]), total_updates=[0.3] * 5 + [5e-3] * 8),
        P.LEARNING_RATE_TOO_HIGH, "warning"),
    "units thrown to their ends by the first steps": (
        vitals(HALF, saturated=record(act=[0.0, 0.95]), total_updates=[0.3] * 5 + [5e-3] * 8),
        P.LEARNING_RATE_TOO_HIGH, "warning"),
    "each validation a bit better": (
        vitals(CREEPS, **CREEPING), P.LEARNING_RATE_TOO_LOW, "warning"),
    "a bit learned by hundredths of a step": (
        vitals([2.1 + 0.05 * (-1) ** i for i in range(300)], total_updates=[2.5e-5] * 9),
        P.LEARNING_RATE_TOO_LOW, "warning"),
    "a first binary loss far off": (
        vitals([20.0, *FLAT], data_losses=[*[20.0] * 3, *FLAT], objective=Objective(
            "binary", "bce_logits", classes=1, constant_loss=math.log(2))),
        P.POOR_INITIALIZATION, "warning"),
    "nothing comes in": (
        vitals(FLAT, prediction_ranges=[0.0] * 9, inputs=InputScale("fc", 0.0, 0.0, math.nan, 0.0)),
        P.NOT_LEARNING, "critical"),
    "means of the same, but for their last digits": (
        vitals(FLAT[:100], prediction_ranges=[1e-7] * 9, dead=record(act=[0.5, 0.6, 0.7]),
               inputs=InputScale("fc", 1.2, 1e-7, math.nan, 0.97)),
        P.NOT_LEARNING, "critical"),
}  # fmt: skip


@pytest.mark.parametrize(("signs", "problem", "severity"), SICK.values(), ids=SICK.keys())
def test_what_began_badly_is_found(signs, problem, severity):
    assert found(signs)[problem] == severity


WELL = {
    "constant, and learned all the same": vitals(SMALL, layers=drawn(0.0, 0.0)),
    "one layer of zeros": vitals(FLAT[:60], layers=drawn(0.0)),
    "ends of branches that begin at 0": vitals(
        [1.4 - 0.001 * i for i in range(300)], layers=drawn(0.6, 0.0, 0.6, 0.0, 0.6)),
    "adapters that begin at 0": vitals(
        FLAT[:60], layers=[*drawn(0.0, 0.0, 0.0), Layer("base", 900, trained=False)]),
    "small heads": vitals([1.4 - 0.001 * i for i in range(300)], layers=drawn(0.6, 0.6, 0.01)),
    "a layer that ranks share": vitals(FLAT[:60], layers=drawn(math.nan, math.nan)),
    "a rate that is 0 at first": vitals(
        HALF, planned_steps=4000, layers=[*drawn(0.6, rated=False), *drawn(0.6)]),
    "a rate of 0 on purpose": vitals(
        SMALL, planned_steps=400, layers=[*drawn(0.6, rated=False), *drawn(0.6)]),
    "gradients kept once": vitals(FALLING, uncleared=1),
    "dead from the start, with large steps": vitals(
        SMALL, dead=record(act=[0.6, 0.6]), total_updates=[0.3] * 9),
    "validated before BatchNorm has settled": vitals(SMALL, **BAD_CHECKS, **NOT_YET),
    "a linear task": vitals([0.018 * LN10] * 300, layers_in_graph=2, affine=True),
    "linear heads side by side that begin at 0": vitals(
        HALF, layers=drawn(0.0, 0.0), affine=True),
    "little to learn, and a schedule that ends": vitals(
        [2.2 + 0.05 * (-1) ** i for i in range(300)], learning_rate=1e-4,
        total_updates=[3e-3] * 7 + [2e-5]),
    "fine-tuning that gets better by a hair": vitals(
        [0.7 - 0.0003 * i + 0.1 * (-1) ** (i // 2) for i in range(300)],
        total_updates=[1.5e-4] * 9, training_epoch_losses=[0.7] * 5,
        validation_losses=[0.7, 0.699, 0.698, 0.697, 0.696]),
    "a first batch that was easy": vitals(
        [0.6] + [0.95] * 299, data_losses=[0.6] + [0.95] * 29, total_updates=[0.3] * 5 + [5e-3] * 5,
        objective=Objective("regression", "squared", constant_loss=1.0, target_variance=1.0)),
    "a confident output": vitals(
        HALF, saturated=record(output=[0.0, 0.95]), total_updates=[0.3] * 5 + [5e-3] * 8,
        saturating_outputs=1),
    "one labelled sample in the first batch of many": vitals(
        [8.0, *[0.5 + 0.01 * (-1) ** i for i in range(299)]], data_losses=[8.0] + [0.5] * 29,
        objective=Objective("binary", "bce_logits", classes=1, constant_loss=math.log(2))),
    "BatchNorm far off now and then": vitals(
        SMALL, planned_steps=500, fewest_norm_values=64.0, validation_epochs=[0, 1, 2, 3],
        validation_losses=[1.9, 3.2, 0.9, 1.6], training_epoch_losses=[1.6, 1.1, 0.8, 0.6]),
    "a rare class that comes last": vitals(
        [1.6 - 0.003 * i + 0.01 * (-1) ** i for i in range(300)], objective=Objective(
            "classification", "cross_entropy", classes=2, constant_loss=1.6,
            target_counts=[960.0, 40.0], predicted_counts=[1000.0, 0.0])),
}  # fmt: skip


@pytest.mark.parametrize("signs", WELL.values(), ids=WELL.keys())
def test_what_only_looks_like_it_is_left_alone(signs):
    assert {p: s for p, s in found(signs).items() if s != "info"} == {}


def test_once_batch_norm_has_settled_validation_counts():
    settled = NOT_YET | {"planned_steps": 500}
    assert P.INCONSISTENT_LABELS in found(vitals(SMALL, **BAD_CHECKS, **settled))


def test_what_was_once_fast_is_slow_by_itself():
    symptoms = found(vitals(FLAT, total_updates=[0.01] * 5 + [5e-5] * 5))
    assert P.NOT_LEARNING in symptoms
    assert P.LEARNING_RATE_TOO_LOW not in symptoms


@pytest.mark.parametrize(
    ("updates", "curve", "sick"),
    [
        ([1e-3] * 10, 2.3 - 6e-4 * SINCE, True),
        ([1e-3] * 10, 2.1 + 0.2 * 0.98**SINCE, False),  # has slowed down
        ([5e-3] * 10, 2.3 - 6e-4 * SINCE, False),  # with steps that are none too small
        ([1e-3] * 10, 2.3 - 2e-3 * SINCE, True),
        ([1e-3] * 10, 2.3 - 3e-3 * SINCE, False),  # and has come some way
        ([9e-4] * 10, 2.3 - 3e-3 * SINCE, True),  # but not half of it, with smaller ones
    ],
)
def test_a_loss_that_falls_by_little_and_as_fast_as_ever_wants_longer_steps(updates, curve, sick):
    losses = (curve + 0.005 * (-1) ** SINCE).tolist()
    signs = vitals(losses, planned_steps=300, total_updates=updates)
    assert (P.LEARNING_RATE_TOO_LOW in found(signs)) is sick
    assert P.LEARNING_RATE_TOO_LOW not in found(replace(signs, planned_steps=1000))


@pytest.mark.parametrize(
    ("updates", "sick"),
    [([4e-4] * 10, True), ([8e-4] * 10, False), ([1e-4, 2e-4, *[4e-4] * 8], False)],
    ids=["short steps", "usual ones", "warmed up"],
)
def test_a_loss_without_a_baseline_that_falls_as_fast_as_ever(updates, sick):
    losses = (2.3 - 2e-3 * SINCE + 0.005 * (-1) ** SINCE).tolist()
    signs = vitals(
        losses, planned_steps=300, total_updates=updates, objective=Objective(),
        data_losses=[],
    )  # fmt: skip
    told = [s.evidence for s in examine(signs) if s.problem is P.LEARNING_RATE_TOO_LOW]
    assert bool(told) is sick
    assert not sick or "below what it was at first" in told[0]


@pytest.mark.parametrize(("growth", "sick"), [(0.2, True), (0.9, False)])
def test_a_huge_decay_has_shrunk_the_weights_though_the_loss_falls(growth, sick):
    losses = (2.3 - 3e-4 * SINCE + 0.005 * (-1) ** SINCE).tolist()
    signs = vitals(losses, weight_decay=5.0, growth=growth, total_updates=[0.02] * 9)
    assert (P.OVER_REGULARIZED in found(signs)) is sick


def test_a_binary_loss_that_began_well_was_not_drawn_badly():
    labels = Objective(
        "binary", "bce_logits", classes=1, constant_loss=math.log(2), target_counts=[500.0, 500.0]
    )
    for first, sick in ((0.7, False), (300.0, True)):
        thrown = [first, 400.0, 200.0, *[0.7 + 0.01 * (-1) ** i for i in range(297)]]
        signs = vitals(thrown, objective=labels, data_losses=[first, 400.0, *[0.7] * 8])
        assert (P.POOR_INITIALIZATION in found(signs)) is sick


@pytest.mark.parametrize(("last", "severity"), [(4.0, "warning"), (0.5, "info")])
def test_weighted_labels_whose_loss_is_still_above_that_of_an_untrained_network(last, severity):
    labels = Objective("binary", "bce_logits", classes=12, weighed=True, positives=0.5)
    losses = [last + 28 * 0.97**i for i in range(300)]
    signs = vitals(losses, objective=labels, data_losses=losses[::10])
    assert found(signs)[P.POOR_INITIALIZATION] == severity


CUT = {
    "dead": record(a=[1.0, 1.0, 1.0], b=[0.2, 0.2, 0.2]),
    "gradient_profile": {"x": 0.0, "y": 0.0, "z": 0.1},
    "first_gradient_profile": [0.0, 0.0, 0.1],
}


def test_a_layer_that_was_dead_before_the_first_step_is_behind_all_else():
    (first, *_) = join_causes(examine(vitals(FLAT, penalty_shares=[0.9] * 10, **CUT)))
    assert (first.problem, first.severity) == (P.DEAD_RELU, "critical")
    later = {**CUT, "first_gradient_profile": [0.1, 0.1, 0.1]}
    (first, *_) = join_causes(examine(vitals(FLAT, penalty_shares=[0.9] * 10, **later)))
    assert first.problem is P.OVER_REGULARIZED


def test_what_falls_behind_a_dead_layer_is_the_last_layers_alone():
    falls = [1.0 * 0.99**i + 0.2 for i in range(300)]
    unknown = {"objective": Objective(), "data_losses": []}
    assert found(vitals(falls, **unknown, **CUT))[P.DEAD_RELU] != "info"
    # Below the constant baseline from the start, as a network that corrects its input.
    below = [0.4 + 0.01 * (-1) ** i for i in range(300)]
    assert found(vitals(below, **CUT))[P.DEAD_RELU] == "warning"
    beside = {**CUT, "gradient_profile": {"x": 0.1, "y": 0.0, "z": 0.1}}
    assert found(vitals(falls, **unknown, **beside))[P.DEAD_RELU] == "info"


def test_of_a_beginning_that_was_missed_nothing_is_said():
    far = vitals([40.0] * 300, data_losses=[40.0] * 30)
    crawls = vitals(
        [2.3 - 5e-4 * i for i in range(300)], total_updates=[1e-5] * 9, objective=Objective(),
        data_losses=[],
    )  # fmt: skip
    for problem, signs in ((P.POOR_INITIALIZATION, far), (P.LEARNING_RATE_TOO_LOW, crawls)):
        assert problem in found(signs)
        assert problem not in found(replace(signs, missed=700))


def test_units_that_large_first_steps_put_to_sleep_may_wake_up():
    asleep = {"dormant": record(a=[0.1] + [0.8] * 9), "planned_steps": 2000}
    assert found(vitals(FLAT[:250], **asleep))[P.DORMANT_UNITS] == "info"
    assert found(vitals(FLAT * 2, **asleep))[P.DORMANT_UNITS] == "warning"


def test_of_a_loss_that_is_not_seen_no_harm_of_dormant_units_is_known():
    unseen = vitals([], step=300, dormant=record(a=[0.1] + [0.8] * 9), objective=Objective())
    assert found(unseen)[P.DORMANT_UNITS] == "info"


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([0.1, 0.3, 0.5, 0.7, 0.8], "80% of the units of a are dormant, up from 10% at first."),
        ([1.0, 0.95, 0.95, 0.95, 0.95], "95% of the units of a are dormant (100% at first)."),
    ],
)
def test_units_that_slept_from_the_start_are_not_said_to_have_become_more(shares, words):
    symptoms = examine(vitals(FLAT, dormant=record(a=shares)))
    assert [s.evidence for s in symptoms if s.problem is P.DORMANT_UNITS] == [words]


SILENT = {
    "dormant": record(gelu=[1.0] * 4), "first_gradient_profile": [1e-9, 1e-8, 1e-8, 1.0],
    "gradient_profile": {"a": 1e-9, "b": 1e-8, "c": 1e-8, "d": 1.0},
    "layers": [Layer("a", 9, has_gradient=True)],
}  # fmt: skip


def test_what_is_silent_lets_no_gradient_through():
    (symptom,) = join_causes(examine(vitals(FLAT, **SILENT)))
    assert (symptom.problem, symptom.severity) == (P.DORMANT_UNITS, "critical")
    assert symptom.layer == "gelu"
    for dormant in (record(gelu=[1.0, 1.0, 1.0, 0.9]), record(gelu=[1.0, 1.0])):
        said = found(vitals(FLAT, **{**SILENT, "dormant": dormant}))
        assert said[P.VANISHING_GRADIENT] == "critical"
    rectified = {"dead": record(gelu=[1.0] * 4)}
    said = found(vitals(FLAT, **SILENT, **rectified))
    assert said[P.DEAD_RELU] == "critical"
    assert said.get(P.DORMANT_UNITS, "info") == "info"


FADING = {
    "gradient_profile": {"a": 7e-6, "b": 4e-5, "c": 1e-4, "d": 1e-3, "e": 2e-2},
    "saturated": record(a=[0.0], b=[0.0], c=[0.0], d=[0.0]), "saturating_outputs": 0,
    "layers": [Layer(name, 9, has_gradient=True) for name in "abcde"],
}  # fmt: skip


def test_gradients_that_fade_at_each_of_several_sigmoids():
    (symptom,) = join_causes(examine(vitals(FLAT, **FADING)))
    assert (symptom.problem, symptom.severity) == (P.VANISHING_GRADIENT, "critical")
    assert symptom.evidence.startswith(
        "Gradients fade from layer to layer: per parameter, that of a is 3.5e-4 times that of e, "
        "through 4 saturating activations, and nothing is learned."
    )


@pytest.mark.parametrize(
    "other",
    [
        {"gradient_profile": {**FADING["gradient_profile"], "a": 3e-5}},
        {"gradient_profile": {**FADING["gradient_profile"], "c": 1e-2}},
        {"saturated": record(a=[0.0], b=[0.0], c=[0.0])},
        {"one_loss": False},
        {"planned_steps": 10_000},
    ],
)
def test_gradients_that_do_not_fade_layer_by_layer(other):
    assert P.VANISHING_GRADIENT not in found(vitals(FLAT, **{**FADING, **other}))
    assert P.VANISHING_GRADIENT not in found(vitals(**FADING))


@pytest.mark.parametrize(("layers", "sick"), [(2, False), (3, True)])
def test_a_code_of_principal_components_is_linear_on_purpose(layers, sick):
    copies = Objective("regression", "squared", of_inputs=True)
    signs = vitals(SMALL, objective=copies, layers_in_graph=layers, affine=True)
    assert (P.LINEAR_NETWORK in found(signs)) is sick
    others = replace(signs, objective=Objective("regression", "squared"))
    assert P.LINEAR_NETWORK in found(others)


def test_what_is_learned_by_heart_in_the_first_half_may_be_learned_after_all():
    heart = {
        "validation_losses": [2.4] * 6, "training_epoch_losses": [2.31, 2.3, 2.28, 2.25, 2.23, 2.2],
        "validation_epochs": list(range(6)),
    }  # fmt: skip
    falls = (2.31 - 4e-4 * SINCE).tolist()
    assert P.INCONSISTENT_LABELS not in found(vitals(falls, **heart))
    assert P.INCONSISTENT_LABELS in found(vitals(falls, **heart, planned_steps=400))


@pytest.mark.parametrize(
    ("entries", "outputs", "sick"),
    [
        ((60, 36), 12, False),  # 20 to 3 to 12
        ((1280, 640), 10, True),  # 20 to 64 to 10
        ((400, 200), 10, True),  # 20 to 20 to 10
    ],
)
def test_two_layers_narrow_between_are_a_map_of_reduced_rank(entries, outputs, sick):
    first, second = (Layer(name, n) for name, n in zip("ab", entries, strict=True))
    table = Objective("regression", "squared", constant_loss=1.0, target_shape=(32, outputs))
    signs = vitals(layers_in_graph=2, affine=True, layers=[first, second], objective=table)
    assert (P.LINEAR_NETWORK in found(signs)) is sick
    classes = Objective("classification", "cross_entropy", classes=outputs, constant_loss=LN10)
    assert (P.LINEAR_NETWORK in found(replace(signs, objective=classes))) is sick
    third = [first, second, Layer("c", entries[1])]
    assert P.LINEAR_NETWORK in found(replace(signs, layers_in_graph=3, layers=third))


@pytest.mark.parametrize(
    ("first", "targets", "rms", "losses", "severity"),
    [
        (1e9, (-4.0, 5.0), 1.0, HALF, "warning"),
        (1e9, (-4.0, 5.0), 1.0, SMALL, "info"),
        (
            900.0,
            (-0.4, 0.5),
            1.0,
            HALF,
            None,
        ),  # what is small may be predicted as larger at first
        (1e9, (-4.0, 5.0), 500.0, HALF, None),
        (1e9, (-4e6, 5e6), 1.0, HALF, None),
    ],
)
def test_first_predictions_a_thousand_times_as_wide_as_the_targets(
    first, targets, rms, losses, severity
):
    objective = Objective("regression", "squared", constant_loss=2.3, target_range=targets)
    inputs = InputScale("fc", 0.0, 1.0, 1.0, rms)
    signs = vitals(losses, objective=objective, prediction_ranges=[first, 0.5, 0.5], inputs=inputs)
    assert found(signs).get(P.POOR_INITIALIZATION) == severity


@pytest.mark.parametrize(
    ("gain", "first", "losses", "sick"),
    [
        (14.0, 90.0, [1.5] * 300, True),
        (14.0, 90.0, [0.7] * 300, False),
        (14.0, 15.0, [1.5] * 300, False),
        (1.0, 90.0, [1.5] * 300, False),
    ],
)
def test_far_too_wide_first_predictions_of_loud_layers_cost_until_half_is_learned(
    gain, first, losses, sick
):
    objective = Objective("regression", "squared", constant_loss=2.0, target_range=(1.0, 5.0))
    layers = [Layer("experts", 99, weight_gain=gain), Layer("gate", 9, is_last=True)]
    signs = vitals(losses, objective=objective, prediction_ranges=[first, 3.0, 3.0], layers=layers)
    assert (P.POOR_INITIALIZATION in found(signs)) is sick


@pytest.mark.parametrize(
    ("last", "checks", "evidence"),
    [
        (500.0, [1.9] * 4, "the validation loss is 5% below that of the best constant prediction."),
        (500.0, [0.7] * 4, ""),
        (500.0, [], ""),  # of training two thirds are learned
        (20.0, [1.9] * 4, ""),
    ],
)
def test_signals_that_grow_on_their_way_cost_until_half_is_learned_of_validation_too(
    last, checks, evidence
):
    objective = Objective("regression", "squared", constant_loss=2.0, target_range=(1.0, 5.0))
    signs = vitals(
        [0.7] * 300, objective=objective, prediction_ranges=[90.0, 3.0, 3.0],
        variances=record(first=[1.0, 1.0], last=[last, 1.0]),
        validation_losses=checks, training_epoch_losses=[0.7] * len(checks),
    )  # fmt: skip
    told = [s.evidence for s in examine(signs) if s.problem is P.POOR_INITIALIZATION]
    assert [text.endswith(evidence) for text in told] == [True] * bool(evidence)


def test_the_steps_of_a_warm_up_are_no_chance_to_learn():
    signs = {"planned_steps": 400, "total_updates": [1e-4] * 10}
    assert P.NOT_LEARNING in found(vitals(FLAT, **signs))
    assert P.NOT_LEARNING not in found(vitals(FLAT, rate_rose=250, **signs))


AT_ONCE = [1.0] * 15 + [0.33 + 0.001 * (-1) ** i for i in range(285)]
LOST_ON_THE_WAY = {"a": 1e-7, "b": 1e-6, "c": 1e-5, "d": 1.0}


@pytest.mark.parametrize(
    ("losses", "constant", "first", "sick"),
    [
        (AT_ONCE, math.nan, LOST_ON_THE_WAY, True),
        (AT_ONCE, 1.0, LOST_ON_THE_WAY, False),
        (AT_ONCE, math.nan, dict.fromkeys("abcd", 1.0), False),
        ([0.995**i for i in range(300)], math.nan, LOST_ON_THE_WAY, False),
    ],
)
def test_a_loss_of_which_only_a_bias_was_learned(losses, constant, first, sick):
    signs = vitals(
        losses, objective=Objective(constant_loss=constant), gradient_profile=LOST_ON_THE_WAY,
        first_gradient_profile=list(first.values()), layers=drawn(0.6, 0.6, 0.6, 0.6),
        planned_steps=400,
    )  # fmt: skip
    assert (P.VANISHING_GRADIENT in found(signs)) is sick


@pytest.mark.parametrize(
    ("units", "losses", "is_data", "told"),
    [
        ({"bells": 4.5e-5}, FLAT, True, P.DORMANT_UNITS),
        ({"bells": 4.5e-5}, FLAT, False, P.DORMANT_UNITS),
        ({"bells": 0.5}, FLAT, True, P.UNNORMALIZED_INPUT),
        ({}, FLAT, True, P.UNNORMALIZED_INPUT),
        ({"bells": 4.5e-5}, SMALL, True, None),  # and learns
    ],
)
def test_inputs_of_a_layer_that_custom_units_have_made_faint(units, losses, is_data, told):
    inputs = InputScale("out", 4e-5, 2e-4, 2e-12, 4.5e-5, 40, is_data=is_data)
    told_first = join_causes(examine(vitals(losses, inputs=inputs, custom_units=units)))[:1]
    assert [symptom.problem for symptom in told_first] == ([told] if told else [])


@pytest.mark.parametrize(
    ("kept", "gain", "severity"),
    [
        ({"trained": False}, 0.7, "info"),  # by adapters
        ({"trained": False}, 0.0, "warning"),
        ({"trained": False, "as_drawn": True}, 0.7, "warning"),
        ({}, 0.7, "warning"),
    ],
)
def test_a_network_that_was_trained_for_something_else_begins_with_confident_errors(
    kept, gain, severity
):
    layers = [Layer("net", 900, **kept), Layer("net.adapter", 100, has_gradient=True)]
    losses = [17.0, *[(1 - gain) * LN10 + 0.01 * (-1) ** i for i in range(299)]]
    signs = vitals(losses, data_losses=losses[::10], layers=layers)
    assert found(signs)[P.POOR_INITIALIZATION] == severity


FLUNG = {
    "recurrent": True, "recurrent_gain": 1.1, "recurrent_layer": "rnn",
    "gradients": record(rnn=[8e2, 4e18, *[1e-3] * 8]), "total_updates": [0.5, 2e15, *[1e-3] * 8],
}  # fmt: skip
THROWN = [3.5, 1e17, *[1e14 * 0.8**i + 2.3 for i in range(298)]]


@pytest.mark.parametrize(
    ("more", "sick"),
    [
        ({}, True),
        ({"recurrent_gain": 1.0}, False),  # as orthogonal weights give
        ({"clip_norm": 1.0}, False),
        ({"gradients": record(rnn=[8e2, 4e4, *[1e-3] * 8])}, False),
    ],
)
def test_states_that_grow_blow_up_an_unclipped_gradient(more, sick):
    symptoms = join_causes(examine(vitals(THROWN, **{**FLUNG, **more})))
    assert (symptoms[0].problem is P.EXPLODING_GRADIENT) is sick
    assert not sick or "multiply the state by about 1.1" in symptoms[0].evidence


@pytest.mark.parametrize(
    ("shares", "severity"),
    [([0.75, 0.97, 0.95], "warning"), ([0.75, 0.8, 0.95], "info"), ([0.6, 0.97, 0.95], "info")],
)
def test_layers_that_switch_nearly_all_of_the_time(shares, severity):
    losses = [2.3 * 0.995**i for i in range(300)]
    layers = record(**{f"l{i}": [share] * 3 for i, share in enumerate(shares)})
    assert found(vitals(losses, saturated=layers))[P.SATURATED_ACTIVATION] == severity


@pytest.mark.parametrize(
    ("first", "gain", "told"),
    [(10.0, 1.0, True), (8.5, 1.0, False), (8.5, 5.0, True), (6.0, 5.0, False)],
)
def test_a_first_loss_of_a_few_times_the_usual_one_is_far(first, gain, told):
    losses = [first, *[2.0 + 0.01 * (-1) ** i for i in range(299)]]
    head = Layer("head", 90, has_gradient=True, is_last=True, weight_gain=gain)
    layers = [Layer("body", 900, has_gradient=True, weight_gain=1.0), head]
    signs = vitals(losses, data_losses=losses[::10], layers=layers)
    assert (P.POOR_INITIALIZATION in found(signs)) is told


@pytest.mark.parametrize(("of_positions", "told"), [(False, True), (True, False)])
def test_a_contrastive_loss_starts_where_its_temperature_says(of_positions, told):
    losses = [12.0, *[2.0 + 0.01 * (-1) ** i for i in range(299)]]
    signs = vitals(losses, data_losses=losses[::10])
    signs = replace(signs, objective=replace(signs.objective, of_positions=of_positions))
    assert (P.POOR_INITIALIZATION in found(signs)) is told
