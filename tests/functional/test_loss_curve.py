"""What a noisy curve says, against scipy and by construction."""

import math

import pytest
import torch
from scipy.stats import linregress, mannwhitneyu

from torchvitals.functional.loss_curve import (
    best_window,
    excess_swing,
    share_above,
    slope_score,
    window_means,
)


def noise(n, seed=0):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("slope", [-0.3, -0.01, 0.0, 0.2])
@pytest.mark.parametrize("n", [3, 10, 200])
def test_slope_score_is_the_t_statistic_of_the_least_squares_line(slope, n):
    curve = (slope * torch.arange(n) + noise(n)).tolist()
    line = linregress(range(n), curve)
    assert slope_score(curve) == pytest.approx(line.slope / line.stderr, rel=1e-9)


@pytest.mark.parametrize(
    ("curve", "score"),
    [([], 0.0), ([1.0, 2.0], 0.0), ([2.0] * 9, 0.0), ([1.0, 2.0, 3.0], math.inf)],
)
def test_slope_score_of_curves_without_noise(curve, score):
    assert slope_score(curve) == score


def test_slope_score_leaves_out_what_is_not_finite():
    assert slope_score([3.0, math.nan, 2.1, math.inf, 1.0]) == slope_score([3.0, 2.1, 1.0])


def test_window_means_are_of_almost_equal_windows():
    assert window_means([1.0, 2.0, 3.0, 4.0, 10.0], 2) == [2.0, 7.0]
    assert window_means([1.0, math.nan], 1) == [1.0]
    assert window_means([1.0, 2.0], 9) == [1.0, 2.0]
    assert window_means([], 3) == []


def test_excess_swing_of_plain_noise_is_about_one():
    found = [excess_swing(noise(400, seed).tolist(), 10) for seed in range(200)]
    assert sum(f * f for f in found) / len(found) == pytest.approx(1.0, abs=0.1)


def test_excess_swing_sees_what_noise_does_not_explain():
    waves = (torch.arange(400) // 40) % 2
    assert excess_swing((noise(400) + 3 * waves).tolist(), 10) > 5
    assert math.isnan(excess_swing([1.0, 2.0, 3.0], 2))
    assert excess_swing([1.0] * 9, 3) == 1.0


@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.4])
def test_share_above_is_what_scipy_counts(shift):
    later, earlier = (noise(30, 1) + shift).round(decimals=1).tolist(), noise(12, 2).tolist()
    earlier += later[:3]  # ties
    expected = mannwhitneyu(later, earlier).statistic / (len(later) * len(earlier))
    assert share_above(later, earlier) == pytest.approx(expected)


def test_share_above_nothing_is_unknown():
    assert math.isnan(share_above([], [1.0]))


@pytest.mark.parametrize("n", [3, 45, 300])
def test_the_best_window_is_the_one_with_the_lowest_mean(n):
    curve = noise(n).tolist()
    found = best_window(curve, 20)
    assert sum(found) / len(found) == pytest.approx(min(window_means(curve, 20)))


@pytest.mark.parametrize(
    ("curve", "best"), [([], []), ([math.nan], []), ([math.nan, 1.0, 2.0, 3.0], [2.0, 3.0])]
)
def test_a_window_with_what_is_not_finite_is_never_the_best(curve, best):
    assert best_window(curve, 2) == best
