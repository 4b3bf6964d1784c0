"""What networks that others published do in a healthy training is no finding."""

import math

import numpy as np
import pytest
from helpers.vital_signs import FLAT, found, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.vital_signs.signs import Layer, Objective

# As an additive margin has it, with logits of a fixed length.
FAR = [12.6 * 0.96**i + 0.05 * (-1) ** i for i in range(300)]


@pytest.mark.parametrize(
    ("losses", "planned", "severity"),
    [
        (FAR[:40], 300, "info"),
        # It stays where it is, falls no more, or has had its time.
        ([12.6 + 0.05 * (-1) ** i for i in range(40)], 300, "warning"),
        ([12.6 - 0.02 * i + 0.01 * (-1) ** i for i in range(150)], 300, "warning"),
    ],
)
def test_a_first_loss_far_off_that_is_on_its_way_down(losses, planned, severity):
    signs = vitals(losses, data_losses=losses[::5], planned_steps=planned)
    assert found(signs)[P.POOR_INITIALIZATION] == severity


@pytest.mark.parametrize(
    ("step", "entries", "severity"),
    [(20, 20, "info"), (60, 20, "info"), (300, 20, "warning"), (20, 200, "warning")],
)
def test_a_branch_that_gets_no_gradient_is_given_time(step, entries, severity):
    """The last layer's positions in a network on points in space, which nobody reads."""
    read = [Layer(name, 50, has_gradient=True) for name in "ab"]
    layers = [*read, Layer("positions", entries, has_gradient=False)]
    signs = vitals([2.3 + 0.05 * (-1) ** i for i in range(step)], layers=layers)
    assert found(signs)[P.FROZEN_PARAMETER] == severity


@pytest.mark.parametrize(
    ("scores", "sick"),
    [([0.94, 0.97, 0.98, 0.98, 0.99], False), ([0.94, 0.95, 0.94, 0.94, 0.95], True), ([], True)],
)
def test_a_mined_loss_that_stays_where_it_is(scores, sick):
    """Of triplets only those are kept that still cost something."""
    signs = vitals(FLAT, objective=Objective(), planned_steps=400, validation_scores=scores)
    assert (P.NOT_LEARNING in found(signs)) is sick


@pytest.mark.parametrize(
    ("steps", "planned", "severity"),
    [(300, 400, "critical"), (300, 1000, "warning"), (600, math.inf, "critical")],
)
def test_a_plateau_may_end_in_the_first_half(steps, planned, severity):
    signs = vitals((FLAT * 2)[:steps], objective=Objective(), planned_steps=planned)
    signs.objective.constant_loss = 2.3
    assert found(signs)[P.NOT_LEARNING] == severity


@pytest.mark.parametrize(("steps_of_time", "sick"), [(1, True), (15, False)])
def test_a_step_of_time_is_not_what_is_decided(steps_of_time, sick):
    """As of spikes, that are counted over all of them."""
    right = 0.5
    loss = -right * np.log(right) - (1 - right) * np.log((1 - right) / 9)
    part = [loss + 0.02 * (-1) ** i for i in range(300)]
    signs = vitals(
        [steps_of_time * x for x in part], data_losses=part[::10], accuracies=[right] * 30,
        planned_steps=400, validation_scores=[0.92, 0.93, 0.93, 0.93], scores_are_accuracies=True,
        one_loss=True,
    )  # fmt: skip
    assert (P.INCONSISTENT_LABELS in found(signs)) is sick
