"""Each rule on vital signs that show the problem, and on such as only look like it."""

import math
from dataclasses import replace

import pytest
from helpers.vital_signs import FALLING, FLAT, LN10, SMALL, found, record, vitals

from torchvitals.callbacks import Problem
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import (
    InputScale,
    Layer,
    Objective,
    SideInput,
)
from torchvitals.callbacks.diagnosing.vital_signs.vitals import Vitals

P = Problem
PROFILE = {"a": 1e-7, "b": 1e-6, "c": 1e-5, "d": 1.0}
GAPS = InputScale("a", math.nan, math.nan, 0.5, math.nan, 8, first_gap=2)
SICK = {
    "loss lost": (vitals([*FALLING[:200], *[math.nan] * 100]), P.NON_FINITE, "critical"),
    "gaps in the data": (
        vitals([2.3, 2.2, math.nan], inputs=GAPS), P.NON_FINITE, "critical"),
    "an error, and gaps in the data": (
        vitals([2.3, 2.2], inputs=GAPS, is_broken_off=True), P.NON_FINITE, "critical"),
    "infinite gradients": (vitals(not_finite_layer="fc"), P.NON_FINITE, "critical"),
    "norms grew": (
        vitals(FLAT, gradients=record(fc=[1.0] * 8 + [1e4] * 2)), P.EXPLODING_GRADIENT, "critical"),
    "norms grow through layers": (
        vitals(FLAT, gradient_profile={"a": 1e7, "b": 1e6, "c": 2e3, "d": 1.0}),
        P.EXPLODING_GRADIENT, "critical"),
    "gradients vanish": (
        vitals(FLAT, gradient_profile=PROFILE, layers=[Layer("a", 9, has_gradient=True)]),
        P.VANISHING_GRADIENT, "critical"),
    "most dead": (vitals(FLAT, dead=record(act=[0.85])), P.DEAD_RELU, "warning"),
    "nothing to learn for those that live": (
        vitals(FLAT, dead=record(act=[0.6])), P.DEAD_RELU, "info"),
    "all dead": (vitals(FLAT, dead=record(act=[1.0])), P.DEAD_RELU, "critical"),
    "dead, and does not matter": (vitals(SMALL, dead=record(act=[0.6])), P.DEAD_RELU, "info"),
    "units fall asleep": (
        vitals(FLAT, dormant=record(act=[0.1, 0.2, 0.4, 0.6, 0.8])), P.DORMANT_UNITS, "warning"),
    "saturated": (vitals(FLAT, saturated=record(act=[0.9])), P.SATURATED_ACTIVATION, "warning"),
    "every layer switches": (
        vitals(SMALL, saturated=record(a=[0.9], b=[0.95])), P.SATURATED_ACTIVATION, "warning"),
    "the weight decay is huge, the gain noise": (
        vitals([2.1 + 0.05 * (-1) ** i for i in range(300)], weight_decay=1.0),
        P.OVER_REGULARIZED, "warning"),
    "steps of nothing, the gain noise": (
        vitals([2.1 + 0.05 * (-1) ** i for i in range(300)], total_updates=[2e-6] * 9),
        P.LEARNING_RATE_TOO_LOW, "warning"),
    "drifting": (vitals(FLAT, drift=record(act=[3.0] * 8)), P.COVARIATE_SHIFT, "info"),
    "large steps, nothing learned": (
        vitals(FLAT, total_updates=[0.05] * 9), P.LEARNING_RATE_TOO_HIGH, "critical"),
    "thrown to where steps are small beside the weights": (
        vitals([2.4] * 20 + [6.0 + 2.0 * (-1) ** i for i in range(280)],
               total_updates=[0.02] * 5 + [0.09, 0.05] + [0.003] * 9),
        P.LEARNING_RATE_TOO_HIGH, "critical"),
    "large first steps of all layers, hidden by a large table": (
        vitals(FLAT, total_updates=[0.02] * 5 + [0.002] * 9,
               layers=[Layer("a", 9, has_gradient=True), Layer("b", 9, has_gradient=True)],
               updates=record(a=[0.2] * 5 + [0.01] * 9, b=[0.3] * 5 + [0.02] * 9,
                              table=[1e-3] * 14)),
        P.LEARNING_RATE_TOO_HIGH, "critical"),
    "huge steps, and units dead since": (
        vitals([0.9 + 0.05 * (-1) ** i for i in range(300)], total_updates=[0.3, *[0.15] * 9],
               dead=record(act=[0.1, 0.5, 0.9])), P.LEARNING_RATE_TOO_HIGH, "warning"),
    "large steps, loss up again": (
        vitals(SMALL[:150] + [1.2] * 150, total_updates=[0.05] * 9), P.LEARNING_RATE_TOO_HIGH,
        "warning"),
    "tiny steps": (
        vitals([2.3 - 0.0005 * i for i in range(300)], total_updates=[1e-5] * 9),
        P.LEARNING_RATE_TOO_LOW, "warning"),
    "no steps to speak of": (vitals(FLAT, total_updates=[1e-7] * 9), P.LEARNING_RATE_TOO_LOW,
                             "warning"),
    "swings": (
        vitals([1.0 + 0.9 * (-1) ** (i // 15) + 0.02 * (-1) ** i for i in range(300)]),
        P.UNSTABLE_LOSS, "warning"),
    "nothing learned": (
        vitals(FLAT, objective=Objective(), planned_steps=400), P.NOT_LEARNING, "critical"),
    "a batch for time": (
        vitals(FLAT, time_axes={"lstm": (32, 20)}, batch_size=32, objective=replace(
            vitals().objective, target_shape=(32,))), P.NOT_LEARNING, "warning"),
    "samples drawn at random for times, with a label for each word": (
        vitals(FLAT, time_axes={"lstm": (32, 20)}, batch_size=32, shuffled=True, objective=replace(
            vitals().objective, target_shape=(640,))), P.NOT_LEARNING, "warning"),
    "first loss far off": (
        vitals([40.0] * 300, data_losses=[40.0] * 30), P.POOR_INITIALIZATION, "warning"),
    "signals fade": (
        vitals(FLAT, variances=record(a=[1.0], b=[1e-3], c=[1e-6])), P.POOR_INITIALIZATION,
        "warning"),
    "states that grow at each time": (
        vitals(FLAT[:5], recurrent=True, recurrent_gain=8.0), P.POOR_INITIALIZATION, "warning"),
    "copies": (
        vitals(layers=[Layer("a", 9, identical_units=True), Layer("b", 9, is_last=True)]),
        P.SYMMETRIC_WEIGHTS, "critical"),
    "first predictions all over the place": (
        vitals([30.0] * 300, prediction_ranges=[35.0] + [20.0] * 29, objective=Objective(
            "regression", "squared", constant_loss=1.0, target_range=(1.0, 5.0))),
        P.POOR_INITIALIZATION, "warning"),
    "factors of zero": (
        vitals(FLAT, waiting=["user.weight", "item.weight"]), P.SYMMETRIC_WEIGHTS, "critical"),
    "a cycle that is made by epochs": (
        vitals(FLAT, schedule_share=0.03), P.LEARNING_RATE_TOO_LOW, "warning"),
    "outputs that are mute": (
        vitals(SMALL, mute_outputs=3, target_means=[0.5] * 12), P.DEAD_RELU, "warning"),
    "an embedding in no optimiser": (
        vitals(FLAT, forgotten_tables=["words"]), P.FROZEN_PARAMETER, "warning"),
    "a decay that outweighs the data": (
        vitals(FLAT, weight_decay=0.01, decay_pulls=[12.0, 9.0, 8.0]), P.OVER_REGULARIZED,
        "warning"),
    "a penalty that holds the weights where they were": (
        vitals([9.0 + 0.1 * (-1) ** i for i in range(300)], penalty_shares=[0.2] * 10,
               planned_steps=400), P.OVER_REGULARIZED, "warning"),
    "pixels": (
        vitals(FLAT, inputs=InputScale("a", 120.0, 70.0, 60.0, 130.0, 3)), P.UNNORMALIZED_INPUT,
        "warning"),
    "columns of all sizes": (
        vitals(FLAT, inputs=InputScale("a", 2.0, 5.0, 0.01, 1.0, 9)), P.UNNORMALIZED_INPUT,
        "warning"),
    "seconds since 1970, joined to what a network found": (
        vitals(FLAT, side_inputs={"fc": SideInput(1e8, 1.6e9, 0.3, is_data=False)}),
        P.UNNORMALIZED_INPUT, "warning"),
    "a second input of raw numbers": (
        vitals(FLAT, side_inputs={"fc": SideInput(250.0, 400.0, 200.0, is_data=True)}),
        P.UNNORMALIZED_INPUT, "warning"),
    "two values to normalise by": (
        vitals(FLAT, fewest_norm_values=2.0, most_norm_values=2.0), P.TRAIN_EVAL_MISMATCH,
        "warning"),
    "one value to normalise by": (
        vitals(FLAT, fewest_norm_values=1.0), P.TRAIN_EVAL_MISMATCH, "critical"),
    "years": (
        vitals(FLAT, inputs=InputScale("a", 10.0, 0.1, 0.1, 10.0, 1)), P.UNNORMALIZED_INPUT,
        "warning"),
    "never better than a constant": (
        vitals(SMALL, validation_losses=[2.4, 2.9, 3.5], training_epoch_losses=[2.0, 1.0, 0.2]),
        P.INCONSISTENT_LABELS, "critical"),
    "only a constant is learned": (vitals(FLAT), P.INCONSISTENT_LABELS, "warning"),
    "only a constant is learned, for half of the training": (
        vitals(FLAT, planned_steps=600), P.INCONSISTENT_LABELS, "critical"),
    "maximised": (
        vitals(objective=Objective("classification", "cross_entropy", classes=3, ascends=True)),
        P.INCONSISTENT_LABELS, "critical"),
    "begins to learn by heart": (
        vitals([2.3 - 0.0003 * i + 0.05 * (-1) ** i for i in range(300)],
               validation_losses=[2.31, 2.32, 2.33, 2.35],
               training_epoch_losses=[2.31, 2.29, 2.26, 2.22]),
        P.INCONSISTENT_LABELS, "critical"),
    "a class at a time": (
        vitals(SMALL, same_class_pairs=[0.9, 1.0, 0.95] * 10), P.UNSTABLE_LOSS, "warning"),
    "another network in evaluation": (
        vitals(SMALL, validation_epochs=[0, 1, 2, 3], validation_losses=[0.9, 1.4, 1.4, 1.2],
               training_epoch_losses=[0.9, 0.4, 0.3, 0.25]), P.TRAIN_EVAL_MISMATCH, "warning"),
    "an optimiser that never steps": (
        vitals(layers=[Layer("a", 9, has_gradient=True, stepped=False),
                       Layer("b", 9, has_gradient=True)]), P.FROZEN_PARAMETER, "warning"),
    "weights of nobody": (vitals(FLAT, strangers=4_096), P.FROZEN_PARAMETER, "warning"),
    "sorted by what is to be learned": (
        vitals(FLAT, target_spreads=[0.05] * 20,
               objective=Objective("regression", "squared", constant_loss=1.0,
                                   target_variance=1.0)), P.UNSTABLE_LOSS, "warning"),
    "gradients vanish through time": (
        vitals(FLAT, recurrent=True, recurrent_layer="rnn", 
               time_profile=[1e-9, 1e-8, 1e-7, 1e-6, 1e-3, 1.0]),
        P.VANISHING_GRADIENT, "critical"),
    "gradients grow through time": (
        vitals(FLAT, recurrent=True, recurrent_layer="rnn", time_profile=[1e4, 1e3, 10.0, 1.0]),
        P.EXPLODING_GRADIENT, "critical"),
    "inputs of next to nothing": (
        vitals(FLAT, inputs=InputScale("a", 0.002, 0.002, 0.001, 0.003, 64)),
        P.UNNORMALIZED_INPUT, "warning"),
    "a rate that fell to nothing": (
        vitals(FLAT, total_updates=[0.0] * 9, learning_rate=1e-9, learning_rate_peak=0.1),
        P.LEARNING_RATE_TOO_LOW, "warning"),
    "dead, and half as good as it should be": (
        vitals([1.5 + 0.01 * (-1) ** i for i in range(300)], dead=record(act=[0.6])), P.DEAD_RELU,
        "warning"),
    "rare class never said": (
        vitals(objective=Objective(
            "classification", "cross_entropy", classes=2, constant_loss=0.2,
            target_counts=[950.0, 50.0], predicted_counts=[1000.0, 0.0])),
        P.CLASS_IMBALANCE, "warning"),
    "rare tags of words never said": (
        vitals(FLAT, inputs=InputScale("a", sizes=(8, 40)), objective=Objective(
            "classification", "cross_entropy", classes=4, constant_loss=2.3, labels=320.0,
            target_counts=[2900.0, 40.0, 30.0, 30.0], predicted_counts=[3000.0, 0.0, 0.0, 0.0])),
        P.CLASS_IMBALANCE, "warning"),
    "a mask without a pixel": (
        vitals(SMALL, inputs=InputScale("a", sizes=(4, 1)), objective=Objective(
            "binary", "bce_logits", classes=1, constant_loss=0.3, labels=8192.0,
            target_counts=[99000.0, 1000.0], predicted_counts=[10000.0, 0.0])),
        P.CLASS_IMBALANCE, "warning"),
    "rare class said": (
        vitals(objective=Objective(
            "classification", "cross_entropy", classes=2, constant_loss=0.2,
            target_counts=[950.0, 50.0], predicted_counts=[960.0, 40.0])),
        P.CLASS_IMBALANCE, "info"),
    "validation left its best": (
        vitals(SMALL, validation_losses=[1.0, 0.9, 1.2, 1.3, 1.5],
               training_epoch_losses=[1.0, 0.8, 0.5, 0.3, 0.2]), P.OVERFITTING, "warning"),
    "penalty": (vitals(FLAT, penalty_shares=[0.9] * 10), P.OVER_REGULARIZED, "warning"),
    "dropout": (
        vitals(FLAT, dropouts=[0.9], validation_losses=[1.0] * 3, training_epoch_losses=[2.0] * 3),
        P.OVER_REGULARIZED, "warning"),
    "running moments": (
        vitals(SMALL, statistics_gap={"norm": 2.0}, validation_losses=[4.0, 4.0],
               training_epoch_losses=[0.5, 0.5]), P.TRAIN_EVAL_MISMATCH, "warning"),
    "no gradient": (vitals(layers=[Layer("a", 9), Layer("b", 9, has_gradient=True)]),
                    P.FROZEN_PARAMETER, "warning"),
    "no optimiser": (
        vitals(layers=[Layer("a", 9, optimized=False, has_gradient=True),
                       Layer("b", 9, has_gradient=True)]), P.FROZEN_PARAMETER, "warning"),
    "linear": (vitals(layers_in_graph=3, affine=True), P.LINEAR_NETWORK, "warning"),
}  # fmt: skip


@pytest.mark.parametrize(("signs", "problem", "severity"), SICK.values(), ids=SICK.keys())
def test_what_is_wrong_is_found(signs, problem, severity):
    assert found(signs)[problem] == severity


def test_every_problem_but_the_mismatch_is_in_the_table():
    assert {problem for _, problem, _ in SICK.values()} == set(P) - {P.OUTPUT_LOSS_MISMATCH}


MISMATCHES = {
    "softmax before logits": ({"kind": "cross_entropy", "output": "softmax", "classes": 3},
                              "warning"),
    "one output": ({"kind": "cross_entropy", "classes": 1}, "critical"),
    "rates for logarithms": ({"kind": "poisson", "output": "softplus"}, "critical"),
    "probabilities for a CTC": (
        {"kind": "ctc", "output": "softmax", "sum_range": (2.1, 2.7)}, "critical"),
    "of another dimension": (
        {"kind": "nll", "output": "log_softmax", "sum_range": (0.1, 0.3)}, "critical"),
    "of another dimension, one of which is right by chance": (
        {"kind": "nll", "output": "log_softmax", "sum_range": (0.3, 1.0)}, "critical"),
    "no logarithms": ({"kind": "nll", "output": "softmax", "sum_range": (2.7, 2.7)}, "critical"),
    "sigmoid before logits": ({"kind": "bce_logits", "output": "sigmoid"}, "warning"),
    "targets out of reach": (
        {"kind": "squared", "output": "sigmoid", "target_range": (0.0, 40.0)}, "critical"),
    "labels of 1 and 2": (
        {"kind": "bce_logits", "task": "binary", "target_range": (1.0, 2.0)}, "critical"),
    "softmax for labels of which several are right": (
        {"kind": "bce", "output": "softmax", "classes": 9, "positives": 2.5}, "critical"),
    "a divergence of probabilities": ({"kind": "divergence", "output": "softmax"}, "critical"),
    "an overlap of logits": ({"kind": "overlap", "overlaps_logits": True}, "critical"),
    "an overlap beside": ({"kind": "bce_logits", "overlaps_logits": True}, "warning"),
    "broadcast": ({"kind": "squared", "task": "regression", "shapes": ((6, 1), (1, 6))},
                  "critical"),
}  # fmt: skip


@pytest.mark.parametrize(("objective", "severity"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_outputs_that_do_not_fit_their_loss(objective, severity):
    assert found(Vitals(objective=Objective(**objective)))[P.OUTPUT_LOSS_MISMATCH] == severity


def test_what_the_inputs_do_not_reach_are_no_wrong_labels():
    moves = {"total_updates": [1e-3] * 10, "step": 300, "planned_steps": 400}
    learned = found(vitals(FLAT, prediction_ranges=[0.4] * 30, **moves))
    ignored = found(vitals(FLAT, prediction_ranges=[1e-7] * 30, **moves))
    copied = found(vitals(FLAT, objective=replace(vitals().objective, of_inputs=True), **moves))
    assert learned[P.INCONSISTENT_LABELS] == "critical"
    for signs in (ignored, copied):
        assert P.INCONSISTENT_LABELS not in signs
        assert signs[P.NOT_LEARNING] == "critical"


WELL = {
    "a decay that is felt, where noise limits what is learned": vitals(
        [0.9 + 0.05 * (-1) ** i for i in range(300)], weight_decay=0.1,
        decay_pulls=[0.4, 0.5, 0.5, 0.6, 0.5]),
    "a pruner's error, and gaps that were filled in": vitals(
        SMALL, inputs=GAPS, is_broken_off=True),
    "one loss that overflowed, and gaps that were filled in": vitals(
        [*SMALL, math.inf], inputs=GAPS),
    "a loss that is made to grow": vitals(
        [1 + 0.02 * i for i in range(300)], data_losses=[], objective=Objective(),
        total_updates=[0.08, 0.05] + [2e-3] * 20, planned_steps=3000),
    "gaps that nothing is made of": vitals(SMALL, inputs=GAPS),
    "an error of another kind": vitals(SMALL, is_broken_off=True),
    "learns": vitals(),
    "has learned": vitals(SMALL),
    "vanishing profile that learns": vitals(SMALL, gradient_profile=PROFILE),
    "one peak of the norm": vitals(FALLING, gradients=record(fc=[1.0] * 8 + [1e4, 1.0])),
    "large steps that help": vitals(FALLING, total_updates=[0.05] * 9),
    "small steps when all is learned": vitals(SMALL, total_updates=[1e-6] * 9),
    "schedule at its end": vitals(FALLING, total_updates=[1e-6] * 9, learning_rate=1e-6),
    "layers frozen on purpose": vitals(
        layers=[Layer("a", 9, trained=False, optimized=False), Layer("b", 9, has_gradient=True)]),
    "a layer that is not used": vitals(
        layers=[Layer("a", 9, ran=False), Layer("b", 9, has_gradient=True)]),
    "a head of zeros": vitals(
        layers=[Layer("a", 9, has_gradient=True),
                Layer("b", 9, identical_units=True, is_last=True, has_gradient=True)]),
    "images in 0..1": vitals(inputs=InputScale("a", 0.5, 0.3, 0.3, 0.6, 3)),
    "activations of any size": vitals(
        FLAT[:60], side_inputs={"fc": SideInput(250.0, 900.0, 200.0, is_data=False)}),
    "a last batch of two": vitals(FLAT[:60], fewest_norm_values=2.0, most_norm_values=32.0),
    "known by heart in the second epoch": vitals(
        [2.0] * 50 + [0.6] * 50 + [0.2] * 100, validation_epochs=[0, 1, 2, 3],
        validation_losses=[1.9, 1.8, 1.8, 1.75], training_epoch_losses=[2.0, 0.6, 0.2, 0.2]),
    "orthogonal recurrent weights": vitals(FLAT[:5], recurrent=True, recurrent_gain=1.0),
    "one layer of two is saturated, and it learns": vitals(
        SMALL, saturated=record(a=[0.9], b=[0.5])),
    "sparse counts": vitals(inputs=InputScale("a", 0.01, 0.1, 0.01, 0.1, 900)),
    "validation noise": vitals(
        SMALL, validation_losses=[1.0, 0.5, 0.55, 0.52, 0.56],
        training_epoch_losses=[1.0, 0.6, 0.5, 0.45, 0.4]),
    "two games at once": vitals(FLAT, one_loss=False, objective=Objective()),
    "log-probabilities": vitals(objective=Objective("classification", "nll", classes=3,
                                                    sum_range=(1.0, 1.0), constant_loss=LN10)),
    "a softmax with binary labels of which one is right": vitals(objective=Objective(
        "binary", "bce", output="softmax", classes=9, positives=1.0, constant_loss=LN10)),
    "sigmoids with labels of which several are right": vitals(objective=Objective(
        "binary", "bce", output="sigmoid", classes=9, positives=2.5, constant_loss=LN10)),
    "first steps are large": vitals(FLAT[:20], total_updates=[0.5] * 5),
    "a rise of next to nothing": vitals(
        SMALL, validation_losses=[0.2, 0.01, 0.02, 0.03, 0.03],
        training_epoch_losses=[0.2, 0.02, 0.01, 0.005, 0.004]),
    "up by twice next to nothing": vitals(
        [2.3] * 20 + [0.05] * 130 + [0.12] * 150, total_updates=[0.02] * 9),
    "sums over a batch, up by next to nothing of them": vitals(
        [60.0] * 20 + [1.0] * 130 + [7.0] * 150, data_losses=[2.0] + [0.2] * 29,
        total_updates=[0.02] * 9),
    "a critic from outside that does no harm": vitals(strangers=4_096),
    "targets in batches as in all": vitals(
        target_spreads=[0.5, 1.5] * 10,
        objective=Objective("regression", "squared", constant_loss=2.0, target_variance=1.0)),
    "a loss with a second term": vitals(
        [0.9 + 0.01 * (-1) ** i for i in range(300)], data_losses=[0.2] * 30,
        objective=Objective("binary", "bce_logits", classes=1, constant_loss=0.3),
        validation_losses=[1.2, 1.0, 0.9, 0.8], training_epoch_losses=[1.2, 1.0, 0.9, 0.8]),
    "dead for its first steps": vitals(
        [2.3 - 0.02 * i + 0.01 * (-1) ** i for i in range(40)], dead=record(act=[0.9])),
    "states that start at 0": vitals(FLAT[:60], inputs=InputScale("a", 0.0, 0.0, 0.0, 0.0, 8)),
    "a plateau before it learns": vitals(
        FLAT[:60], total_updates=[0.02] * 9, recurrent=True, recurrent_layer="rnn",
        time_profile=[1e-9, 1e-6, 1e-3, 1.0]),
    "validation of other classes than training": vitals(
        SMALL, validation_losses=[2.4, 2.9, 3.5], training_epoch_losses=[2.0, 1.0, 0.2],
        objective=replace(vitals().objective, target_counts=[300.0, 3.0])),
    "batches of few classes": vitals(same_class_pairs=[0.3, 0.4, 0.5] * 10),
    "a validation every ten epochs": vitals(
        SMALL, validation_epochs=[9, 19, 29], validation_losses=[1.0, 1.1, 1.1],
        training_epoch_losses=[0.9, 0.4, 0.3]),
    "words that are never the likeliest": vitals(
        inputs=InputScale("a", sizes=(8, 40)), objective=replace(
            vitals().objective, labels=320.0, target_counts=[900.0] * 9 + [60.0],
            predicted_counts=[900.0] * 9 + [0.0])),
    "pixels of one kind": vitals(
        inputs=InputScale("a", sizes=(4, 3)), same_class_pairs=[0.9] * 30,
        objective=replace(vitals().objective, labels=4096.0)),
    "first steps of a deep network": vitals(
        FLAT[:12], gradient_profile=PROFILE),
    "a discriminator's turn": vitals(
        FLAT[:10], one_loss=False, layers=[Layer("a", 9), Layer("b", 9, has_gradient=True)]),
    "frames of one recording, each with its label": vitals(
        FLAT[:60], time_axes={"lstm": (60, 17)}, batch_size=1, objective=replace(
            vitals().objective, target_shape=(60,))),
    "pieces of a series, with a label for each time": vitals(
        FLAT[:60], time_axes={"lstm": (32, 20)}, batch_size=32, objective=replace(
            vitals().objective, target_shape=(32, 20))),
    "time first": vitals(
        FLAT[:60], time_axes={"lstm": (20, 32)}, batch_size=32, objective=replace(
            vitals().objective, target_shape=(32,))),
    "sums over validation batches that are larger": vitals(
        [64 * loss for loss in SMALL], data_losses=SMALL[::10], validation_epochs=[0, 1, 2, 3],
        validation_losses=[200.0, 90.0, 70.0, 60.0],
        training_epoch_losses=[60.0, 25.0, 20.0, 15.0]),
    "targets that vary less than a network at first": vitals(
        prediction_ranges=[1.0] + [0.01] * 29, data_losses=[1e-4] * 30, objective=Objective(
            "regression", "squared", constant_loss=1.02e-4, target_range=(-0.03, 0.03))),
    "a cycle that is cut short, and learned enough": vitals(SMALL, schedule_share=0.1),
    "a decay that is small beside the data": vitals(
        FLAT[:60], weight_decay=5e-4, decay_pulls=[0.02, 0.03, 0.03]),
    "a part of the network that has its turn later": vitals(
        SMALL, layers=[Layer("a", 9), Layer("b", 991, has_gradient=True)]),
    "no loss is known": vitals([], one_loss=False, dormant=record(act=[0.1, 0.6, 0.7, 0.7])),
    "one noisy validation": vitals(
        SMALL, validation_epochs=[0, 1, 2, 3], validation_losses=[1.0, 1.8, 0.3, 0.25],
        training_epoch_losses=[1.5, 0.6, 0.4, 0.3]),
    "quiet inputs that do": vitals(inputs=InputScale("a", 0.002, 0.002, 0.001, 0.003, 64)),
    "who will click": vitals(
        SMALL, wants_order=True, objective=Objective(
            "binary", "bce_logits", classes=1, constant_loss=0.25, target_counts=[950.0, 50.0],
            predicted_counts=[1000.0, 0.0])),
    "a linear model of one layer": vitals(layers_in_graph=1, affine=True),
}  # fmt: skip


@pytest.mark.parametrize("signs", WELL.values(), ids=WELL.keys())
def test_what_is_well_is_left_alone(signs):
    assert {p: s for p, s in found(signs).items() if s != "info"} == {}


@pytest.mark.parametrize("step", [0, 1, 5])
def test_nothing_is_said_before_there_is_anything_to_see(step):
    assert examine(Vitals(step=step)) == []


def test_steps_that_noise_makes_large_are_no_matter_of_the_rate():
    symptoms = found(vitals(FLAT, total_updates=[0.02] * 9))
    assert P.INCONSISTENT_LABELS in symptoms
    assert P.LEARNING_RATE_TOO_HIGH not in symptoms


def test_a_usual_decay_is_not_to_blame_for_huge_first_steps():
    assert P.OVER_REGULARIZED in found(vitals(FLAT, weight_decay=0.1))
    signs = vitals(FLAT, weight_decay=0.1, total_updates=[0.5, 0.2, 0.1] + [0.01] * 6)
    assert P.OVER_REGULARIZED not in found(signs)
    assert P.LEARNING_RATE_TOO_HIGH in found(signs)


def test_a_loss_that_was_never_finite_is_no_matter_of_the_rate():
    signs = vitals([math.nan] * 300, data_losses=[], total_updates=[0.5] * 9)
    assert set(found(signs)) == {P.NON_FINITE}


def test_a_loss_that_does_not_hang_on_the_output():
    signs = vitals(
        [0.0] * 30, objective=Objective("classification"), gradients=record(fc=[0.0] * 5)
    )
    assert found(signs)[P.OUTPUT_LOSS_MISMATCH] == "critical"
    signs = vitals(
        [0.0] * 30, objective=Objective("classification"), gradients=record(fc=[0.1] * 5)
    )
    assert P.OUTPUT_LOSS_MISMATCH not in found(signs)


def test_a_rate_that_drove_the_loss_up_until_it_was_lost():
    grows = [2.3, 3.0, 9.0, 80.0, 1e4, 1e9] + [math.nan] * 20
    signs = vitals(grows, data_losses=[], total_updates=[0.5] * 9)
    assert P.LEARNING_RATE_TOO_HIGH in found(signs)


@pytest.mark.parametrize(
    ("update", "highest", "sick"), [(0.02, 80.0, True), (2e-3, 80.0, False), (0.02, 9.0, False)]
)
def test_a_rate_that_drove_up_what_was_learned_until_it_was_lost(update, highest, sick):
    losses = [*FALLING[:200], 3.0, highest, *[math.nan] * 40]
    signs = vitals(losses, data_losses=FALLING[:200], total_updates=[update] * 9)
    assert (P.LEARNING_RATE_TOO_HIGH in found(signs)) is sick


@pytest.mark.parametrize(("reach", "vanishes"), [(1, True), (3, True), (4, False), (9, False)])
def test_gradients_that_reach_back_far_are_no_reason_to_learn_nothing(reach, vanishes):
    profile = [1e-7] * (10 - reach) + [1.0] * reach
    signs = vitals(FLAT, recurrent=True, recurrent_layer="lstm", time_profile=profile)
    assert (P.VANISHING_GRADIENT in found(signs)) == vanishes


def test_a_loss_at_which_training_was_resumed_is_not_the_first():
    signs = {"objective": Objective(), "planned_steps": 400}
    assert P.NOT_LEARNING in found(vitals(FLAT, **signs))
    assert found(vitals(FLAT, missed=100, **signs)) == {}


def test_of_a_loss_that_is_lost_no_more_is_said():
    losses = [2.3, 50.0, 1e6, 1e20, *[math.nan] * 296]
    problems = found(vitals(losses, data_losses=losses[:4]))
    assert P.NON_FINITE in problems
    assert P.NOT_LEARNING not in problems
    assert P.NOT_LEARNING in found(vitals([50.0] * 300, data_losses=[50.0] * 30))
