"""Rates of an optimiser that may have none, and schedules that wait for a metric."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from torchvitals.callbacks.diagnosing.training_plan import read_rates, waits_for_plateau
from torchvitals.callbacks.diagnosing.vital_signs.vitals import Vitals


def trainer_with(*groups):
    return SimpleNamespace(optimizers=[SimpleNamespace(param_groups=list(groups))])


@pytest.mark.parametrize("groups", [[], [{}], [{"lr": None}]])
def test_an_optimizer_without_a_rate_has_none(groups):
    vitals = Vitals()
    read_rates(trainer_with(*groups), vitals)
    assert all(
        map(
            math.isnan,
            (vitals.learning_rate, vitals.learning_rate_given, vitals.learning_rate_peak),
        )
    )


def test_the_highest_rate_so_far_and_what_a_schedule_multiplies():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    schedule = LambdaLR(optimizer, lambda epoch: [0.1, 0.4, 0.2][epoch])
    vitals, seen = Vitals(), []
    for step in (0, 50, 100):
        vitals.step = step
        read_rates(SimpleNamespace(optimizers=[optimizer]), vitals)
        seen.append((vitals.learning_rate, vitals.learning_rate_peak))
        optimizer.step()
        if len(seen) < 3:
            schedule.step()
    assert seen == [pytest.approx(pair) for pair in [(0.05, 0.05), (0.2, 0.2), (0.1, 0.2)]]
    assert vitals.learning_rate_given == 0.5
    assert vitals.rate_rose == 50


@pytest.mark.parametrize("waits", [True, False])
def test_a_schedule_that_waits_for_a_metric(waits):
    configs = [SimpleNamespace(reduce_on_plateau=False), SimpleNamespace(reduce_on_plateau=waits)]
    assert waits_for_plateau(SimpleNamespace(lr_scheduler_configs=configs)) is waits


@pytest.mark.parametrize(("rate", "code"), [(0.02, "lr=0.002"), (math.nan, "")])
def test_a_rate_to_paste(rate, code):
    assert Vitals(learning_rate_peak=rate).rate_as_code(0.1) == code
