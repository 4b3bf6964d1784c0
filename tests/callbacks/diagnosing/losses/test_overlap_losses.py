"""Whether the overlap with a mask is one of probabilities, as the graph shows."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchvitals.callbacks.diagnosing.losses.loss_record import LossRecord
from torchvitals.callbacks.diagnosing.losses.overlap_losses import is_overlap_of_logits
from torchvitals.callbacks.diagnosing.losses.special_losses import describe_special

PLACES = (1, 2, 3)


def dice_of_samples(p, mask):
    both = (p * mask).sum(PLACES)
    return (1 - (2 * both + 1) / (p.sum(PLACES) + mask.sum(PLACES) + 1)).mean()


def dice_of_all(p, mask):
    p, mask = p.view(-1), mask.view(-1)
    return 1 - 2.0 * (p * mask).sum() / (p.sum() + mask.sum() + 1e-6)


def dice_with_the_mask_first(p, mask):
    return -(2 * (mask * p).sum((2, 3)) / (mask.sum((2, 3)) + p.sum((2, 3))).clamp(min=1)).mean()


def jaccard(p, mask):
    both = (p * mask).flatten(1).sum(1)
    return 1 - ((both + 1) / (p.flatten(1).sum(1) + mask.flatten(1).sum(1) - both + 1)).mean()


def dice_in_steps(p, mask):
    return 1 - 2 * (p * mask).sum(3).sum(2).mean() / (p.sum(3).sum(2).mean() + mask.mean())


OVERLAPS = [dice_of_samples, dice_of_all, dice_with_the_mask_first, jaccard, dice_in_steps]


def batch(channels=1):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, channels, 1))
    return net(torch.rand(4, 1, 8, 8)), (torch.rand(4, channels, 8, 8) > 0.7).float()


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_an_overlap_of_logits_is_known(overlap):
    logits, mask = batch()
    assert is_overlap_of_logits(overlap(logits, mask))
    assert is_overlap_of_logits(0.5 * overlap(logits, mask) + 1e-4 * logits.square().mean())
    assert describe_special(overlap(logits, mask)).kind == "overlap"


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize(
    "squash", [torch.sigmoid, lambda x: x.softmax(1), F.relu, lambda x: x.clamp(0, 1), torch.exp]
)
def test_an_overlap_of_what_has_bounds_is_none(overlap, squash):
    logits, mask = batch(channels=2)
    assert not is_overlap_of_logits(overlap(squash(logits), mask))


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: F.mse_loss(x, y),
        lambda x, y: 1 - F.cosine_similarity(x.flatten(1), y.flatten(1)).mean(),
        # Between -1 and 1 for any output.
        lambda x, y: 1 - 2 * (x * y).sum() / (x.square().sum() + y.square().sum()),
        lambda x, y: 1 - (x * y).sum() / (x.norm() * y.norm()),
        lambda x, y: (x - y).square().sum() / y.square().sum(),
        lambda x, y: -(x * y).mean() / x.std(),
    ],
)
def test_other_ratios_are_no_overlaps(loss):
    assert not is_overlap_of_logits(loss(*batch()))


@pytest.mark.parametrize("squash", [False, True])
def test_an_overlap_beside_a_loss_that_is_read(squash):
    logits, mask = batch()
    given = logits.sigmoid() if squash else logits
    loss = F.binary_cross_entropy_with_logits(logits, mask) + dice_of_all(given, mask)
    record = LossRecord()
    record.look(loss, 1.0)
    record.take([record.news()])
    assert record.objective.kind == "bce_logits"
    assert record.objective.overlaps_logits is not squash
