"""Losses that want one score above another, as ranking by what was chosen has them."""

import math

import pytest
import torch
import torch.nn.functional as F
from helpers.losses import settle
from torch import nn

from torchvitals.callbacks.diagnosing.losses.loss_record import LossRecord
from torchvitals.callbacks.diagnosing.losses.paired_losses import find_pairs

PAIRS = 12
LOSSES = {
    "log of a sigmoid": lambda a, b: -F.logsigmoid(a - b).mean(),
    "minus a mean": lambda a, b: (-F.logsigmoid(a - b)).mean(),
    "a sum over their number": lambda a, b: -F.logsigmoid(a - b).sum() / PAIRS,
    "softplus": lambda a, b: F.softplus(b - a).mean(),
    "softplus of minus": lambda a, b: F.softplus(-(a - b)).mean(),
    "sigmoid and log": lambda a, b: -torch.sigmoid(a - b).log().mean(),
    "with a small number": lambda a, b: -torch.log(torch.sigmoid(a - b) + 1e-9).mean(),
    "of columns": lambda a, b: -F.logsigmoid((a - b).squeeze(1)).mean(),
    "with a temperature": lambda a, b: -F.logsigmoid(2 * (a - b)).mean(),
}
OTHERS = {
    "against a number": lambda a, b: F.softplus(1 - a).mean(),
    "of labels": lambda a, b: F.softplus((1 - 2 * (b > 0).float()) * a).mean(),
    "weighted pairs": lambda a, b: (F.softplus(b - a) * torch.rand(PAIRS, 1)).mean(),
    "some of them": lambda a, b: F.softplus(b - a)[::2].mean(),
    "two games": lambda a, b: F.softplus(b - a).mean() + 4 * F.softplus(a - b).mean(),
    "noise contrast": lambda a, b: -F.logsigmoid(a).mean() - F.logsigmoid(-b).mean(),
    "squares": lambda a, b: (a - b).square().mean(),
    "a distance": lambda a, b: F.softplus((a - b).square().sum(1)).mean(),
    "against constants": lambda a, b: F.softplus(b.detach() - a).mean(),
    "against a learned number": lambda a, b: F.softplus(nn.Parameter(torch.zeros(1)) - a).mean(),
}


def scores():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
    return network(torch.randn(PAIRS, 5)), network(torch.randn(PAIRS, 5)), network


@pytest.mark.parametrize("name", LOSSES)
def test_pairs_are_found_and_what_their_loss_is(name):
    one, other, _ = scores()
    loss = LOSSES[name](one, other)
    (call,) = find_pairs(loss)
    ahead = (one - other).detach().flatten() * (2 if "temperature" in name else 1)
    torch.testing.assert_close(call.prediction[:PAIRS], ahead, rtol=1e-4, atol=1e-5)
    own = F.binary_cross_entropy_with_logits(call.prediction, call.target)
    torch.testing.assert_close(own, loss.detach(), rtol=1e-4, atol=1e-5)
    assert call.is_alone
    assert call.reduction == (2 if "sum" in name else 1)


def test_one_factor_may_be_of_both():
    torch.manual_seed(0)
    user, item = nn.Embedding(9, 4), nn.Embedding(9, 4)
    who, liked, other = torch.randint(9, (3, PAIRS))
    ahead = (user(who) * (item(liked) - item(other))).sum(1)
    (call,) = find_pairs(-F.logsigmoid(ahead).mean())
    torch.testing.assert_close(call.prediction[:PAIRS], ahead.detach())


@pytest.mark.parametrize("name", OTHERS)
def test_other_losses_are_none_of_pairs(name):
    one, other, _ = scores()
    assert find_pairs(OTHERS[name](one, other)) == []


def test_a_constant_reaches_the_logarithm_of_two_and_a_penalty_is_told_apart():
    record = LossRecord()
    for _ in range(3):
        one, other, network = scores()
        pairs = -F.logsigmoid(one - other).mean()
        penalty = sum(weight.square().sum() for weight in network.parameters())
        record.look(pairs + penalty, 1.0)
        right = float((one > other).float().mean())
        share = float((penalty / (pairs + penalty)).detach())
    settle(record)
    assert record.objective.task == "binary"
    assert record.objective.constant_loss == pytest.approx(math.log(2))
    assert record.curves["data_losses"] == pytest.approx([float(pairs.detach())] * 3)
    assert record.curves["accuracies"] == pytest.approx([right] * 3)
    assert record.curves["penalty_shares"] == pytest.approx([share] * 3)
