"""Losses of manual optimisation, against those that the step differentiates."""

import pytest
import torch

from torchvitals.callbacks.diagnosing.losses.losses_by_hand import LossesByHand

WEIGHT = torch.ones((), requires_grad=True)


def batch(found, *losses, scale=1.0):
    for loss in losses:
        found.look(loss, scale)
    return found.close()


def test_a_batch_has_the_mean_of_its_passes():
    found = LossesByHand()
    assert batch(found) is None
    assert found.most == 0
    assert batch(found, 3 * WEIGHT) == 3
    assert found.most == 1
    assert batch(found, 3 * WEIGHT, 5 * WEIGHT) == 4
    assert batch(found, 2 * WEIGHT) == 2
    assert found.most == 2


def test_what_a_scaler_multiplied_with_is_undone():
    scale = torch.tensor(2.0**16)
    assert batch(LossesByHand(), (3 * WEIGHT) * scale, scale=scale) == 3


@pytest.mark.parametrize("scale", [1.0, torch.tensor(2.0**16)])
@pytest.mark.parametrize("divide", [lambda x: x / 4, lambda x: 0.25 * x, lambda x: x / 2 / 2])
def test_a_loss_divided_by_the_passes_of_a_step_is_multiplied_again(divide, scale):
    found = LossesByHand()
    for _ in range(4):
        assert found.factor == 1
        loss = divide(WEIGHT**2) * scale if isinstance(scale, torch.Tensor) else divide(WEIGHT**2)
        batch(found, loss, scale=scale)
    found.step()
    assert found.factor == 4


@pytest.mark.parametrize("passes", [1, 2])
def test_any_other_factor_is_the_losss_own(passes):
    found = LossesByHand()
    for _ in range(passes):
        batch(found, WEIGHT**2 / 4)
    found.step()
    assert found.factor == 1


def test_the_first_step_tells():
    found = LossesByHand()
    for _ in range(2):
        batch(found, WEIGHT**2 / 2)
        batch(found, WEIGHT**2 / 2)
        found.step()
    assert found.factor == 2


def test_a_loss_of_several_entries_is_left_alone():
    assert batch(LossesByHand(), WEIGHT * torch.ones(3)) is None


@pytest.mark.parametrize(
    ("batches", "most"),
    [
        ([["look", 0, 1]], 1),
        ([["look"], ["look", 1, 0]], 1),  # a step for two batches
        ([["look", 0], ["look", 1]], 2),  # in turn
        ([["look", 0, "look", 1]], 2),  # one after the other, as in a game
        ([[0, "look", 1]], 2),  # after a backward pass that was not seen
    ],
)
def test_optimizers_that_step_together_follow_one_loss(batches, most):
    found = LossesByHand(optimizers=2)
    for events in batches:
        for event in events:
            found.look(WEIGHT**2, 1.0) if event == "look" else found.step(event)
        found.close()
    assert found.most == most
