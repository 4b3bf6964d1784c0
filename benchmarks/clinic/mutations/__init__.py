"""Faults that are put into programs which are well, as mutation testing does.

After the operators of DeepCrime (Humbatova, Jahangirova and Tonella, ISSTA 2021): each changes one
thing of a program. Whether that is a fault of this program is found out by training it: only
where the goal is missed is it one.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from . import data, networks, optimizing
from .operator import Operator

Result = TypeVar("Result")

FAST = ("learning_rate_too_high", "non_finite", "unstable_loss", "exploding_gradient", "dead_relu")
SLOW = ("learning_rate_too_low", "not_learning", "vanishing_gradient")
START = ("poor_initialization", "exploding_gradient", "saturated_activation", "unstable_loss")
LABELS = ("inconsistent_labels", "not_learning", "overfitting")
INPUTS = ("train_eval_mismatch", "covariate_shift")
OPERATORS = (
    Operator("rate x 10", optimizing.rate_times(10), (*FAST, "saturated_activation")),
    Operator("rate x 100", optimizing.rate_times(100), (*FAST, "saturated_activation")),
    Operator("rate x 1000", optimizing.rate_times(1000), (*FAST, "saturated_activation")),
    Operator("rate / 100", optimizing.rate_times(1e-2), SLOW[:2]),
    Operator("rate / 1000", optimizing.rate_times(1e-3), SLOW[:2]),
    Operator("rate / 100000", optimizing.rate_times(1e-5), (*SLOW[:2], "frozen_parameter")),
    Operator("heavy weight decay", optimizing.heavy_decay, ("over_regularized",)),
    Operator("head not in the optimiser", optimizing.last_layer_forgotten, ("frozen_parameter",)),
    Operator("body not in the optimiser", optimizing.body_forgotten, ("frozen_parameter",)),
    Operator("weights x 10", networks.weights_times(10), START),
    Operator("weights x 0.05", networks.weights_times(0.05), ("poor_initialization", *SLOW)),
    Operator("weights all equal", networks.equal_weights, ("symmetric_weights",)),
    Operator("biases of -10", networks.low_biases, ("dead_relu", "poor_initialization")),
    Operator("no activations", networks.without_activations, ("linear_network",)),
    Operator(
        "sigmoids for ReLUs",
        networks.sigmoids,
        (*SLOW, "saturated_activation", "dormant_units"),
    ),
    Operator(
        "dropout of 0.95", networks.strong_dropout, ("over_regularized", "train_eval_mismatch")
    ),
    Operator("slow averages", networks.slow_averages, ("train_eval_mismatch",)),
    Operator("squashed outputs", networks.squashed, ("output_loss_mismatch",)),
    Operator("rectified outputs", networks.rectified, ("output_loss_mismatch", "dead_relu")),
    Operator("unscaled inputs", data.unscaled_inputs, ("unnormalized_input",)),
    Operator("labels shuffled", data.shuffled_labels(1.0), LABELS),
    Operator("six labels in ten shuffled", data.shuffled_labels(0.6), LABELS),
    Operator("few samples", data.few_samples, ("overfitting",)),
    Operator("rare classes", data.rare_classes, ("class_imbalance", "overfitting")),
    Operator("missing values", data.missing_value, ("non_finite",)),
    Operator("clipped to nothing", optimizing.tight_clipping, (*SLOW[:2], "vanishing_gradient")),
    Operator("never zeroed", optimizing.never_zeroed, FAST),
    Operator("loss x 300", optimizing.loss_times(300), FAST),
    Operator("loss negated", optimizing.loss_times(-1), (*LABELS, "output_loss_mismatch", *FAST)),
    Operator("batches of two", optimizing.tiny_batches, FAST),
    Operator("cut in the middle", networks.cut_in_the_middle, ("frozen_parameter",)),
    Operator(
        "sigmoid tower",
        networks.sigmoid_tower,
        ("vanishing_gradient", "not_learning", "saturated_activation", "poor_initialization"),
    ),
    Operator("steep tanh", networks.steep_tanh, (*START, "learning_rate_too_high")),
    Operator("raw in validation", data.raw_in_validation, (*INPUTS, "unnormalized_input")),
    Operator("drowned in noise", data.drowned_in_noise, (*INPUTS, "over_regularized", *LABELS[:2])),
    Operator("scaled every epoch", data.scaled_every_epoch, (*INPUTS, "unnormalized_input")),
    Operator("blank inputs", data.blank_inputs, (*LABELS[:2], *INPUTS, "unnormalized_input")),
    Operator(
        "sorted by label",
        data.sorted_by_label,
        ("covariate_shift", "unstable_loss", *LABELS[:2]),
    ),
)


def in_turn(names: Iterable[str], operator: Operator) -> list[str]:
    """Programs to put a fault into, in an order that the fault's name draws."""
    order = sorted(names)
    random.Random(operator.name).shuffle(order)
    return order


def first_that_hold(
    names: Iterable[str],
    operator: Operator,
    count: int,
    submit: Callable[[str], Future[Result]],
    holds: Callable[[Result], bool],
) -> Iterator[Result]:
    """Yield the results of so many programs on which the operator has a hold, in its order."""
    left, found = in_turn(names, operator), 0
    while left and found < count:
        jobs = [submit(name) for name in left[: count - found]]
        left = left[count - found :]
        results = [result for job in jobs if holds(result := job.result())]
        found += len(results)
        yield from results
