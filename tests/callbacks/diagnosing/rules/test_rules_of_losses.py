"""Losses that are lost, labels learned by heart, and what does not move."""

import math
from dataclasses import replace

import pytest
from helpers.vital_signs import FALLING, FLAT, SMALL, found, record, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.filling import _not_finite
from torchvitals.callbacks.diagnosing.symptom import Symptom
from torchvitals.callbacks.diagnosing.vital_signs.signs import InputScale, Layer, Objective

NAN, INF = math.nan, math.inf


def symptom_of(problem, signs):
    return next(symptom for symptom in examine(signs) if symptom.problem == problem)


def test_losses_that_are_lost_now_and_then_are_no_health():
    losses = [NAN if i % 7 == 3 else loss for i, loss in enumerate(SMALL)]
    symptom = symptom_of(P.NON_FINITE, vitals(losses))
    assert symptom.severity == "warning"
    assert "14 of the last 100 batches, first in batch 3" in symptom.evidence


@pytest.mark.parametrize(
    ("since", "layer", "words"),
    [
        ([NAN] * 50, None, "The loss is not finite from batch 300 on, and was 0.19 before."),
        ([], "fc", "Gradients are not finite. The first affected layer is fc."),
    ],
)
def test_a_single_loss_that_was_lost_long_before_is_not_where_all_are(since, layer, words):
    losses = [*SMALL[:10], INF, *SMALL[11:], *since]
    assert symptom_of(P.NON_FINITE, vitals(losses, not_finite_layer=layer)).evidence == words


@pytest.mark.parametrize("lost", [1, 2])
def test_a_loss_or_two_of_a_hundred_are_nothing(lost):
    assert P.NON_FINITE not in found(vitals([*SMALL[:250], *[INF] * lost, *SMALL[:40]]))


def test_the_batch_that_held_nan_is_to_blame_whatever_layer_it_reached():
    lost = [*FALLING[:200], *[NAN] * 50]
    data = symptom_of(P.NON_FINITE, vitals(lost, first_gap=200))
    assert "itself contained NaN or infinity" in data.evidence
    assert data.remedies[0].code == "assert torch.isfinite(x).all()"
    reached = {"inputs": InputScale("fc", first_gap=200), "not_finite_layer": "head"}
    layer = symptom_of(P.NON_FINITE, vitals(lost, **reached))
    assert layer.layer == "fc"
    assert layer.evidence.endswith("The input of fc was not finite itself: there is NaN or "
                                   "infinity in the data.")  # fmt: skip
    assert "affected" not in layer.evidence
    # One that came later lost nothing.
    later = symptom_of(P.NON_FINITE, vitals(lost, first_gap=201))
    assert "itself" not in later.evidence
    assert later.remedies[0].code == "Trainer(detect_anomaly=True)"


def test_a_loss_that_grew_first_asks_for_a_smaller_rate():
    grew = vitals([*[2.3 * 1.1**i for i in range(50)], *[NAN] * 20])
    assert symptom_of(P.NON_FINITE, grew).remedies[0].code == "lr=0.001"


def test_a_validation_that_is_lost_is_no_other_network():
    checks = {"validation_losses": [NAN] * 4, "validation_epochs": [0, 1, 2, 3],
              "training_epoch_losses": [0.3] * 4}  # fmt: skip
    signs = found(vitals(SMALL, **checks))
    assert signs[P.NON_FINITE] == "warning"
    assert P.TRAIN_EVAL_MISMATCH not in signs
    stale = found(vitals(SMALL, statistics_gap={"norm": 2.0}, **checks))
    assert P.TRAIN_EVAL_MISMATCH not in stale
    once = {**checks, "validation_losses": [0.3, 0.3, 0.3, NAN]}
    assert P.NON_FINITE not in found(vitals(SMALL, **once))


@pytest.mark.parametrize(
    ("variances", "gradients", "layer"),
    [
        ({"a": 1.0, "b": NAN, "c": NAN}, {"x": NAN, "y": NAN}, "b"),
        ({"a": NAN, "b": NAN}, {"x": NAN, "y": NAN, "z": 1.0}, "y"),
        ({"a": NAN, "b": NAN}, {"x": NAN, "y": NAN}, ""),
        ({}, {"x": 1.0}, None),
    ],
)
def test_the_first_that_is_not_finite_is_told_only_from_others(variances, gradients, layer):
    assert _not_finite(variances, gradients) == layer


def test_where_all_is_lost_no_layer_is_named():
    symptom = symptom_of(P.NON_FINITE, vitals([*SMALL[:200], *[NAN] * 9], not_finite_layer=""))
    assert symptom.layer is None
    assert "first to be so" not in symptom.evidence


BY_HEART = {
    "validation_losses": [2.31, 2.31, 2.305, 2.31, 2.31, 2.31],
    "validation_scores": [0.1] * 6,
    "validation_epochs": [0, 1, 2, 3, 4, 5],
    "training_epoch_losses": [2.31, 2.3, 2.3, 2.29, 2.28, 2.27],
}
SLOWLY = [2.3 - 0.0003 * i + 0.01 * (-1) ** i for i in range(300)]


def test_labels_that_begin_to_be_learned_by_heart_are_not_healed():
    assert found(vitals(SLOWLY, **BY_HEART))[P.INCONSISTENT_LABELS] == "critical"


def test_what_fell_since_the_last_validation_may_carry_over():
    course = [2.3] * 200 + [0.2] * 100
    before = {**BY_HEART, "training_epoch_losses": [2.31, 2.3, 2.3, 2.3, 2.3, 2.2]}
    assert P.INCONSISTENT_LABELS not in found(vitals(course, **before))
    after = {**BY_HEART, "training_epoch_losses": [2.31, 2.3, 2.3, 2.3, 2.3, 0.9]}
    assert found(vitals(course, **after))[P.INCONSISTENT_LABELS] == "critical"


@pytest.mark.parametrize(
    ("labels", "level", "sick"),
    [(16 * 32 * 32, 0.17, True), (16 * 32 * 32, 0.24, False), (16, 0.17, False)],
)
def test_few_pixels_of_one_class_do_not_hide_that_nothing_carries_over(labels, level, sick):
    """As in masks that were shuffled; a class of few samples may have others in validation."""
    few = Objective(
        "binary", classes=2, constant_loss=0.27, target_counts=[930.0, 70.0], labels=labels
    )
    course = [max(level, 0.6 - 0.004 * i) + 0.001 * (-1) ** i for i in range(300)]
    signs = vitals(
        course, objective=few, inputs=InputScale("conv", sizes=(16, 1)),
        validation_losses=[0.4, 0.31, 0.28, 0.29, 0.3, 0.3],
        validation_epochs=list(range(6)), training_epoch_losses=[0.4, 0.3, 0.26, 0.25, 0.24, level],
    )  # fmt: skip
    assert (found(signs).get(P.INCONSISTENT_LABELS) == "critical") is sick


def test_a_training_that_falls_apart_from_its_validation_is_said_to():
    evidence = symptom_of(P.INCONSISTENT_LABELS, vitals(SLOWLY, **BY_HEART)).evidence
    assert evidence.startswith("The training loss begins to fall, to 2.27, but the validation loss")


def test_a_sum_over_entries_is_held_against_a_constant_that_is_summed_up_as_well():
    sums = {name: [64 * loss for loss in BY_HEART[name]] for name in BY_HEART if "losses" in name}
    signs = {**BY_HEART, **sums, "data_losses": SLOWLY[::10]}
    of_sums = vitals([64 * loss for loss in SLOWLY], **signs)
    assert found(of_sums)[P.INCONSISTENT_LABELS] == "critical"
    # With a fifth of penalty it is no sum.
    penalized = [1.2 * loss for loss in SLOWLY]
    assert (
        found(vitals(penalized, **{**BY_HEART, "data_losses": SLOWLY[::10]}))[P.INCONSISTENT_LABELS]
        == "critical"
    )
    follows = [64 * loss for loss in BY_HEART["training_epoch_losses"]]
    assert P.INCONSISTENT_LABELS not in found(replace(of_sums, validation_losses=follows))


def test_what_was_learned_of_a_sum_is_told_in_units_of_the_sum():
    parts = [0.2 + 0.02 * (i % 3) for i in range(30)]
    signs = vitals(
        [32 * loss for loss in SMALL], data_losses=parts, other_terms=[31 * p for p in parts],
        validation_losses=[76.8] * 5, validation_epochs=list(range(5)), planned_steps=400,
        training_epoch_losses=[70.0, 50.0, 30.0, 10.0, 6.4],
    )  # fmt: skip
    assert symptom_of(P.INCONSISTENT_LABELS, signs).evidence == (
        "The training loss fell to 6.4, but the validation loss was never below 76.8 for long, and "
        "the best constant prediction reaches 73.68: nothing generalises."
    )


def test_what_is_over_soon_is_asked_for_more_time():
    first = [symptom_of(P.INCONSISTENT_LABELS, vitals(FLAT * n)).remedies[0].advice for n in (1, 2)]
    assert [text.startswith("Give it time") for text in first] == [True, False]


@pytest.mark.parametrize("faster", [1.0, 1.3])
def test_a_slow_start_that_validation_follows_is_healthy(faster):
    falls = [2.302 - 0.001 * i for i in range(10)]
    checks = [2.302 - 0.001 * faster * i for i in range(10)]
    losses = [2.302 - 2e-5 * i + 0.002 * (-1) ** i for i in range(500)]
    signs = {"validation_losses": checks, "training_epoch_losses": falls,
             "validation_epochs": list(range(10)), "planned_steps": 2000}  # fmt: skip
    assert P.INCONSISTENT_LABELS not in found(vitals(losses, **signs))
    scored = {**signs, "validation_scores": [0.1 + 0.005 * i for i in range(10)]}
    assert P.INCONSISTENT_LABELS not in found(vitals(losses, **scored))


def test_a_little_that_validation_learns_of_little_is_no_fault():
    losses = [0.97 + 0.02 * (-1) ** i for i in range(400)]
    target = Objective("regression", "squared", constant_loss=1.0, target_variance=1.0)
    signs = {"validation_losses": [0.999, 0.995, 0.991, 0.988, 0.985, 0.983],
             "training_epoch_losses": [0.99, 0.98, 0.975, 0.972, 0.968, 0.966],
             "validation_epochs": list(range(6)), "objective": target,
             "data_losses": [0.967] * 40}  # fmt: skip
    assert P.INCONSISTENT_LABELS not in found(vitals(losses, **signs))


def test_what_validation_learns_as_well_is_no_matter_of_the_labels():
    better = {**BY_HEART, "validation_losses": [2.31, 2.305, 2.3, 2.29, 2.28, 2.27]}
    said = {**BY_HEART, "validation_scores": [0.1, 0.1, 0.1, 0.2, 0.25, 0.3]}
    for signs in (better, said):
        assert P.INCONSISTENT_LABELS not in found(vitals(SLOWLY, **signs))


def test_an_autoencoder_may_stay_at_the_mean_of_its_inputs_for_a_while():
    images = Objective(
        "regression", "squared", classes=64, constant_loss=0.07, target_variance=0.07,
        of_inputs=True,
    )  # fmt: skip
    stays = {"losses": [0.07] * 300, "objective": images, "step": 300}
    assert P.NOT_LEARNING not in found(vitals(**stays, planned_steps=700))
    assert found(vitals(**stays, planned_steps=500))[P.NOT_LEARNING] == "critical"


@pytest.mark.parametrize("planned", [300, 1000])  # at the end, and before
def test_a_schedule_that_has_ended_is_said_to_have(planned):
    signs = vitals(
        [2.303 + 1e-4 * (-1) ** i for i in range(300)], total_updates=[1e-3, 1e-5, *[0.0] * 8],
        learning_rate=1e-9, learning_rate_peak=1e-3, planned_steps=planned,
    )  # fmt: skip
    symptom = symptom_of(P.LEARNING_RATE_TOO_LOW, signs)
    assert "the schedule has decayed the learning rate from 0.001 to 1e-09" in symptom.evidence
    assert '"interval": "epoch"' in symptom.remedies[0].code
    assert not any("ten" in remedy.advice for remedy in symptom.remedies)


@pytest.mark.parametrize("largest", [1e-7, 1e-3])
def test_a_schedule_that_ends_with_the_training_is_not_to_blame(largest):
    signs = vitals(
        [2.303 + 1e-4 * (-1) ** i for i in range(300)], planned_steps=300,
        total_updates=[largest * (1 + math.cos(math.pi * i / 40)) / 2 for i in range(41)],
        learning_rate=1e-10, learning_rate_peak=1e-7,
    )  # fmt: skip
    symptom = symptom_of(P.LEARNING_RATE_TOO_LOW, signs)
    assert "schedule" not in symptom.evidence
    assert symptom.remedies[0].advice == "Multiply the learning rate by ten."


@pytest.mark.parametrize("checks", [[], [-2.0, -3.0, -4.0, -5.0, -6.0]])
def test_a_loss_below_zero_that_falls_is_not_said_to_stand(checks):
    falls = [-1 - 0.02 * i for i in range(300)]
    signs = vitals(
        falls, data_losses=[], objective=Objective(), total_updates=[5e-5] * 10, planned_steps=300,
        validation_losses=checks,
    )  # fmt: skip
    assert P.LEARNING_RATE_TOO_LOW not in found(signs)


def test_a_validation_that_is_lost_hides_nothing():
    slow = {"total_updates": [1e-7] * 10}
    still = [2.303 + 1e-4 * (-1) ** i for i in range(300)]
    lost = {"validation_losses": [NAN] * 3, "training_epoch_losses": [2.3] * 3,
            "validation_epochs": [0, 1, 2]}  # fmt: skip
    joined = {s.problem for s in join_causes(examine(vitals(still, **slow, **lost)))}
    assert {P.LEARNING_RATE_TOO_LOW, P.NON_FINITE} <= joined


def test_a_loss_of_unknown_scale_that_fell_after_all_is_not_blown_up():
    unknown = Objective()
    curve = [1.0, 30.0, 8.0, *[3.0 - 0.1 * i for i in range(297)]]
    large = {"total_updates": [0.8, 0.3, *[0.02] * 8], "objective": unknown}
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(curve, data_losses=[], **large))
    stays = [1.0, 30.0, *[20.0 + (-1) ** i for i in range(298)]]
    assert P.LEARNING_RATE_TOO_HIGH in found(vitals(stays, data_losses=[], **large))


UNMOVED = {
    "unmoved": ["cuts", "fc.bias"], "layers": [Layer("fc", 8, has_gradient=True)],
    "entries": {"cuts": 8, "fc.weight": 8, "fc.bias": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "entries", "severity"),
    [(FLAT, 8, "warning"), (FLAT, 1e-3, "info"), ([0.01] * 300, 8, "info")],
)
def test_a_parameter_of_no_layer_that_stays_is_named(losses, entries, severity):
    signs = vitals(losses, **{**UNMOVED, "entries": {**UNMOVED["entries"], "cuts": entries}})
    symptom = symptom_of(P.FROZEN_PARAMETER, signs)
    assert (symptom.severity, symptom.layer) == (severity, "cuts")


@pytest.mark.parametrize(
    "more",
    [
        {"unmoved": ["norm.bias"]},  # a norm behind it may take it out again
        {"waiting": ["cuts"]},
        {"updates": record(root=[1e-2, 1e-3, 0.0])},  # its units died
        {"dead": record(relu=[1.0, 1.0, 1.0])},  # were dead from the start
    ],
)
def test_what_stopped_or_waits_or_is_a_bias_is_left_to_others(more):
    assert P.FROZEN_PARAMETER not in found(vitals(FLAT, **{**UNMOVED, **more}))


@pytest.mark.parametrize(
    ("losses", "entries", "severity"),
    [(FLAT, 8, "warning"), (FLAT, 1e-3, "info"), ([0.01] * 300, 8, "info")],
)
def test_what_half_precision_rounds_away_is_no_matter_of_the_loss(losses, entries, severity):
    rounded = {**UNMOVED, "pushed": {"cuts": "float16"}}
    signs = vitals(losses, **{**rounded, "entries": {**UNMOVED["entries"], "cuts": entries}})
    symptom = symptom_of(P.FROZEN_PARAMETER, signs)
    assert (symptom.severity, symptom.layer) == (severity, "cuts")
    assert "float16" in symptom.evidence
    # Whatever keeps the loss where it is has other causes.
    joined = join_causes(examine(vitals(FLAT, **rounded)))
    assert {s.problem: s.severity for s in joined} == {
        P.FROZEN_PARAMETER: "warning", P.INCONSISTENT_LABELS: "warning"
    }  # fmt: skip


def test_what_stays_in_single_precision_though_it_is_pushed_is_left_to_the_rate():
    pushed = {"pushed": {"cuts": "float32"}}
    assert P.FROZEN_PARAMETER not in found(vitals(FLAT, **UNMOVED, **pushed))


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([], "does not change, although"),
        (["a"], ", nor does 1 other, "),
        (["a", "b"], ", nor do 2 others, "),
    ],
)
def test_others_that_do_not_move_are_counted_in_words(others, words):
    evidence = symptom_of(
        P.FROZEN_PARAMETER, vitals(FLAT, **{**UNMOVED, "unmoved": ["cuts", *others]})
    ).evidence
    assert words in evidence


def test_signals_that_change_by_less_than_orders_of_magnitude_are_usual():
    for last, sick in ((1e-3, False), (1e-5, True), (1e3, False), (1e5, True)):
        variances = record(a=[1.0], b=[0.5], c=[last])
        assert (P.POOR_INITIALIZATION in found(vitals(FLAT, variances=variances))) is sick


@pytest.mark.parametrize("more", [1, 2])
def test_other_layers_are_counted_in_words(more):
    names, s = "abc"[: 1 + more], "s" if more > 1 else ""
    copies = [Layer(name, 9, has_gradient=True, identical_units=True) for name in names]
    for problem, signs, words in (
        (P.SATURATED_ACTIVATION, {"saturated": record(**{name: [0.9] for name in names})},
         f"So are those of {more} other layer{s}."),
        (P.SYMMETRIC_WEIGHTS, {"layers": copies}, f"the same holds in {more} other layer{s}."),
        (P.SYMMETRIC_WEIGHTS, {"waiting": list(names)},
         f"so do{'' if s else 'es'} {more} other{s}."),
    ):  # fmt: skip
        assert symptom_of(problem, vitals(FLAT, **signs)).evidence.endswith(words)


def test_where_nothing_moves_no_parameter_is_singled_out():
    assert P.FROZEN_PARAMETER not in found(vitals(FLAT, total_updates=[0.0] * 9, **UNMOVED))


def test_a_layer_that_nobody_calls_is_worth_knowing():
    layers = [Layer("a", 9, has_gradient=True), Layer("un", 9, ran=False)]
    assert found(vitals(SMALL, layers=layers))[P.FROZEN_PARAMETER] == "info"


@pytest.mark.parametrize(
    ("losses", "entries", "severity"),
    [
        (SMALL, 20, "info"), (SMALL, 70, "info"), (SMALL, 90, "warning"), (FLAT, 20, "warning"),
        # It does well, but not so well that nearly half of the weights would be of no use.
        ([0.4 + 0.02 * (-1) ** i for i in range(300)], 20, "info"),
        ([0.4 + 0.02 * (-1) ** i for i in range(300)], 70, "warning"),
    ],
)  # fmt: skip
def test_a_branch_that_the_loss_does_not_need_is_worth_knowing(losses, entries, severity):
    layers = [Layer("a", 80, has_gradient=True), Layer("unread", entries)]
    assert found(vitals(losses, layers=layers))[P.FROZEN_PARAMETER] == severity


@pytest.mark.parametrize(("steps", "sick"), [(100, False), (300, True)])
def test_signals_that_grow_have_until_the_end_of_a_slow_start(steps, sick):
    growing = record(a=[1e-6], b=[1e-3], c=[1.0])
    signs = found(vitals(FLAT[:steps], variances=growing))
    assert (P.POOR_INITIALIZATION in signs) is sick


@pytest.mark.parametrize(("others", "sick"), [(10, True), (1_000, False)])
def test_zeros_that_wait_for_one_another_are_most_of_the_weights(others, sick):
    waiting, entries = ["affine.a", "affine.b"], {"affine.a": 40, "affine.b": 40, "c": others}
    signs = found(vitals(FLAT, waiting=waiting, entries=entries))
    assert (P.SYMMETRIC_WEIGHTS in signs) is sick


@pytest.mark.parametrize(("step", "severity"), [(120, "info"), (250, "warning")])
def test_half_a_layer_may_be_dead_while_more_and_more_is_learned(step, severity):
    losses = [2.3 * 0.996**i for i in range(120)]
    dead = record(first=[0.0, 0.7], second=[0.0, 0.0])
    signs = vitals(losses, step=step, planned_steps=400, dead=dead)
    assert signs.had_a_long_chance
    assert found(signs)[P.DEAD_RELU] == severity


def test_columns_that_are_one_column_are_symmetric():
    symptom = symptom_of(P.SYMMETRIC_WEIGHTS, vitals(identical_tables=["user", "item"]))
    assert (symptom.severity, symptom.layer) == ("critical", "user")


def test_units_of_a_matrix_of_ones_own_are_named_as_those_of_a_layer():
    symptom = symptom_of(P.SYMMETRIC_WEIGHTS, vitals(identical_matrices=["W1", "W2"]))
    assert (symptom.severity, symptom.layer) == ("critical", "W1")
    assert symptom.evidence.startswith("All units of W1 have identical weights")


def test_factors_that_a_decay_has_taken_to_nothing_are_no_vanishing_gradients():
    profile = {"user": 1e-20, "item": 2e-20, "user_bias": 0.01}
    faint = [0.8 * 2.3] * 300
    decayed = found(
        vitals(faint, gradient_profile=profile, weight_decay=0.02, decay_pulls=[0.4] * 5)
    )
    assert decayed[P.OVER_REGULARIZED] == "warning"
    assert P.VANISHING_GRADIENT not in decayed
    assert not found(vitals(faint, gradient_profile=profile))


TAGS = Objective(
    "binary", "bce_logits", classes=12, constant_loss=0.17, positives=0.5,
    predicted_positives=0.02, target_range=(0.0, 1.0),
)  # fmt: skip
TAGGED = [0.14 + 0.01 * (-1) ** i for i in range(300)]


def test_labels_that_are_never_predicted_are_found_where_decisions_are_wanted():
    tags = {"objective": TAGS, "wants_decisions": True}
    assert found(vitals(TAGGED, **tags))[P.CLASS_IMBALANCE] == "warning"
    often = {**tags, "objective": replace(TAGS, predicted_positives=0.2)}
    usual = {**tags, "objective": replace(TAGS, positives=3.0)}
    likely = {**tags, "wants_decisions": False}
    for signs in (often, usual, likely):
        assert P.CLASS_IMBALANCE not in found(vitals(TAGGED, **signs))


def test_inputs_that_are_not_finite_are_not_called_large():
    inputs = InputScale("a", INF, NAN, 0.5, INF, 8)
    assert P.UNNORMALIZED_INPUT not in found(vitals(SMALL, inputs=inputs))


def test_of_much_that_is_explained_two_signs_are_told():
    rate = Symptom("critical", "Large steps.", problem=P.LEARNING_RATE_TOO_HIGH)
    effects = [
        Symptom("warning", f"{problem.value}.", {"x": 1.0}, problem=problem)
        for problem in (P.NOT_LEARNING, P.DORMANT_UNITS, P.DEAD_RELU, P.VANISHING_GRADIENT)
    ]
    (joined,) = join_causes([rate, *effects])
    assert joined.evidence == (
        "Large steps. dead_relu. vanishing_gradient. It also explains dormant units."
    )
    assert len(joined.measurements) == 4


def test_what_is_only_worth_knowing_is_not_told_as_evidence():
    rate = Symptom("critical", "Large steps.", problem=P.LEARNING_RATE_TOO_HIGH)
    idle = Symptom("info", "Few of one class.", {"x": 1.0}, problem=P.CLASS_IMBALANCE)
    (joined,) = join_causes([rate, idle])
    assert joined.evidence == "Large steps."
    assert joined.measurements == {"class_imbalance/x": 1.0}


def test_weights_that_were_thrown_away_are_told_by_the_step_that_did_it():
    dead = record(act=[0.1, 0.9, 0.9])
    signs = vitals(
        [2.3, *[17.0] * 299], data_losses=[2.3, *[17.0] * 29], dead=dead,
        total_updates=[*[1e3] * 3, *[1e-7] * 7],
    )  # fmt: skip
    evidence = symptom_of(P.LEARNING_RATE_TOO_HIGH, signs).evidence
    assert evidence.startswith("A step moved the weights by up to 1,000 times their length (about")
