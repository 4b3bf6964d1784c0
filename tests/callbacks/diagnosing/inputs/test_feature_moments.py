"""Moments of features within and between batches, beside those of all rows at once."""

import math

import pytest
import torch

from torchvitals.callbacks.diagnosing.inputs.feature_moments import FeatureMoments


def joined(x, size):
    moments = FeatureMoments()
    for rows in x.double().split(size):
        mean = rows.mean(0)
        apart = (rows - mean).abs()
        moments.add((len(rows), mean, apart.square().sum(0), apart.amax(0)))
    return moments


def spread_of(x, size):
    """By the analysis of variance, feature by feature."""
    batches = x.double().unflatten(0, (-1, size))
    within = batches.var(1, correction=1).mean(0)
    return float((batches.mean(1).var(0, correction=0) / within).sqrt().max())


X = torch.randn(640, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor(
    [1, 9, 0.1, 1, 3]
)


def test_moments_are_those_of_all_rows():
    rows, mean, squares, _ = joined(X, 20).joined
    assert rows == 640
    torch.testing.assert_close(mean, X.double().mean(0))
    torch.testing.assert_close(squares / 639, X.double().var(0))


@pytest.mark.parametrize("size", [4, 20, 64])
def test_the_spread_is_about_that_of_chance_unless_rows_are_sorted(size):
    assert joined(X, size).spread == pytest.approx(spread_of(X, size), rel=1e-9)
    assert joined(X, size).spread < 2 / math.sqrt(size)
    ordered = X[X[:, 2].argsort()]
    assert joined(ordered, size).spread == pytest.approx(spread_of(ordered, size), rel=1e-9)
    assert joined(ordered, size).spread > 3


def test_columns_that_do_not_vary_say_nothing():
    assert joined(torch.cat([X, torch.full((640, 1), 3.0)], 1), 20).spread < 0.5
    assert math.isnan(joined(torch.ones(40, 2), 20).spread)
    assert math.isnan(joined(X[:20], 20).spread)


def test_a_state_is_continued():
    whole, half = joined(X, 20), joined(X[:320], 20)
    other = FeatureMoments()
    other.load_state_dict(half.state_dict())
    for rows in X[320:].double().split(20):
        mean = rows.mean(0)
        apart = (rows - mean).abs()
        other.add((20, mean, apart.square().sum(0), apart.amax(0)))
    assert other.spread == pytest.approx(whole.spread, rel=1e-12)
    assert other.batches == 32
