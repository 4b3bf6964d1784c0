"""Areas by counts of log-odds are scikit-learn's, which are by the scores themselves."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score

from torchvitals.functional.ranking import area_under_roc, log_odds, log_odds_bins

BINS = 2**15 + 1


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 300.0])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_log_odds_are_those_of_double_precision(classes, scale):
    logits = scale * normal(100, classes)
    others = [logits[:, torch.arange(classes) != k].logsumexp(1) for k in range(classes)]
    found = log_odds(logits.float()).double()
    torch.testing.assert_close(found, logits - torch.stack(others, 1), rtol=1e-5, atol=2e-6)


def area(odds, positive):
    bins = log_odds_bins(torch.stack([-odds, odds], 1).float(), BINS)[:, 1]
    counts = [torch.bincount(bins[rows], minlength=BINS) for rows in (positive, ~positive)]
    return area_under_roc(*(one[None] for one in counts)).item()


@pytest.mark.parametrize("share", [0.002, 0.5])
@pytest.mark.parametrize(
    ("location", "deviation"),
    [(0, 1e-3), (0, 1), (-4.6, 0.05), (-9, 0.1), (-9, 1), (12, 6), (30, 1), (30, 6), (300, 100)],
)
@pytest.mark.parametrize("difference", [0.3, 1.5])
def test_areas_are_scikit_learns(share, location, deviation, difference):
    scores = normal(20_000)
    positive = torch.arange(20_000) < share * 20_000
    odds = location + deviation * (scores + difference * positive)
    assert area(odds, positive) == pytest.approx(roc_auc_score(positive, odds), abs=2e-3)


def test_ties_count_as_half_and_scores_without_a_number_as_lowest():
    odds = torch.tensor([0.0, 0.0, math.nan, -math.inf, math.inf, 2.0])
    positive = torch.tensor([True, False, False, False, True, True])
    assert area(odds, positive) == pytest.approx((2.5 + 3 + 3) / 9)
    odds[2] = -1e9
    assert area(odds, positive) == pytest.approx(roc_auc_score(positive, odds.clamp(-9, 9)))


def test_the_area_of_a_class_without_positives_or_negatives_is_not_a_number():
    some, none = torch.tensor([1, 2]), torch.tensor([0, 0])
    found = area_under_roc(torch.stack([some, none, some]), torch.stack([none, some, some]))
    assert found.isnan().tolist() == [True, True, False]


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    generator = torch.Generator().manual_seed(1)
    counts = torch.randint(5, (2, 3, 7), generator=generator)
    for area, positives, negatives in zip(area_under_roc(*counts), *counts, strict=True):
        above = [i for i, count in enumerate(positives.tolist()) for _ in range(count)]
        below = [i for i, count in enumerate(negatives.tolist()) for _ in range(count)]
        wins = sum((a > b) + (a == b) / 2 for a in above for b in below)
        assert float(area) == pytest.approx(wins / (len(above) * len(below)), rel=1e-6)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("bins", [3, 101, BINS])
def test_bins_are_those_of_the_formula_and_keep_the_order(classes, bins):
    odds = torch.cat([30 * normal(500, classes), 0.01 * normal(500, classes) - math.log(classes)])
    found, half = log_odds_bins(odds, bins), bins // 2
    for row, places in zip(odds[::50].tolist(), found[::50].tolist(), strict=True):
        for value, place in zip(row, places, strict=True):
            distance = math.asinh((value + math.log(classes - 1)) / 0.01) / math.asinh(1e4 / 0.01)
            assert abs(half + half * max(-1.0, min(1.0, distance)) - place) <= 0.5 + 1e-9
    ordered = found.flatten()[odds.flatten().argsort()]
    assert (ordered.diff() >= 0).all()
    equal = torch.full((1, classes), -math.log(classes - 1), dtype=torch.float64)
    assert (log_odds_bins(equal, bins) == half).all()
