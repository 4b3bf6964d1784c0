"""Prechelt's criteria against tables worked out by hand, and smoothing against plain sums."""

import math
from functools import partial

import pytest
import torch

from torchvitals.functional import (
    exponential_average,
    generalization_loss,
    progress_quotient,
    successive_increases,
    training_progress,
    windowed_median,
)

NAN, INF = math.nan, math.inf


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("validation", "expected"),
    [
        # 2.0 is the lowest from the second on: 2.5/2 - 1 = 25%, 4/2 - 1 = 100%.
        ([4.0, 2.0, 2.5, 4.0, 1.6, 2.0], [0, 0, 25, 100, 0, 25]),
        ([5.0], [0]),
        ([], []),
        ([2.0, NAN, 3.0], [0, NAN, 50]),
        ([NAN, 2.0, 3.0], [NAN, 0, 50]),
        ([2.0, INF, 1.0], [0, INF, 0]),
        # A ratio to nothing, or to less, means nothing.
        ([1.0, 0.0, 1.0], [0, NAN, NAN]),
        ([1.0, -2.0, -1.0], [0, NAN, NAN]),
    ],
)
def test_generalization_loss(validation, expected):
    found = generalization_loss(tensor(validation))
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        # Mean 3, lowest 1: 1000 (3/1 - 1).
        ([5.0, 4, 3, 2, 1], 2000),
        # Mean 1.1, lowest 1.
        ([1.2, 1.1, 1.0], 100),
        ([2.0, 2.0], 0),
        ([0.5], 0),
        ([1.0, 0.0], NAN),
        ([[3.0, 1.0], [2.0, 2.0]], [1000, 0]),
    ],
)
def test_training_progress(training, expected):
    found = training_progress(tensor(training))
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("validation", "training", "strip", "expected"),
    [
        # First strip ends on the lowest; the second on 2.5 above 2.0, GL = 25, and training
        # went 1.4, 1.0: mean 1.2, P = 200, so PQ = 0.125. The odd check at the end is no strip.
        ([4.0, 2.0, 2.2, 2.5, 9.0], [3.0, 2.0, 1.4, 1.0, 0.1], 2, [0, 0.125]),
        # Training stands still: any loss of generalisation weighs infinitely.
        ([2.0, 2.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0], 2, [0, INF]),
        ([2.0, 3.0], [1.0, 1.0], 3, []),
        ([2.0, 3.0], [2.0, NAN], 2, [NAN]),
    ],
)
def test_progress_quotient(validation, training, strip, expected):
    found = progress_quotient(tensor(validation), tensor(training), strip)
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("validation", "strip", "expected"),
    [
        ([3.0, 2.0, 1.0, 1.1, 1.2, 1.3], 1, [0, 0, 0, 1, 2, 3]),
        # Strips end on 2, 1.1, 1.3: what is inside a strip does not count.
        ([3.0, 2.0, 9.0, 1.1, 0.1, 1.3], 2, [0, 0, 1]),
        ([3.0, 3.0, 3.0], 1, [0, 0, 0]),
        ([1.0, 2.0, NAN, 3.0, 4.0], 1, [0, 1, 0, 0, 1]),
        ([1.0, 2.0], 5, []),
    ],
)
def test_successive_increases(validation, strip, expected):
    assert successive_increases(tensor(validation), strip).tolist() == expected


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("values", [[3.0], [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]])
def test_smoothing_is_the_plain_sum_and_the_sorted_middle(values, window):
    alpha, top, bottom = 2 / (window + 1), 0.0, 0.0
    for i, value in enumerate(reversed(values)):
        top += (1 - alpha) ** i * value
        bottom += (1 - alpha) ** i
    assert exponential_average(tensor(values), window).item() == pytest.approx(top / bottom)
    last = sorted(values[-window:])
    middle = (last[(len(last) - 1) // 2] + last[len(last) // 2]) / 2
    assert windowed_median(tensor(values), window).item() == middle


def test_refusals():
    with pytest.raises(ValueError, match="`training_losses` to have as many"):
        progress_quotient(torch.ones(3), torch.ones(2))
    with pytest.raises(ValueError, match="`strip_length` to be at least 1, but got 0"):
        successive_increases(torch.ones(3), 0)


@pytest.mark.parametrize("average", [exponential_average, windowed_median])
def test_smoothing_takes_numbers_of_any_kind_and_a_window_of_at_least_one(average):
    expected = average(torch.tensor([1.0, 4.0]), 3)
    assert average(torch.tensor([1, 4]), 3) == expected
    assert average(torch.tensor([1, 4], dtype=torch.bfloat16), 3) == expected.bfloat16()
    with pytest.raises(ValueError, match="Expected `window` to be at least 1, but got 0"):
        average(torch.tensor([1.0]), 0)


def test_progress_of_whole_numbers():
    assert training_progress(torch.tensor([3, 2, 1])) == 1000


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("function", "values", "dtype", "expected"),
    [
        (lambda v: exponential_average(v, 1), [INF, 1.0], torch.float32, 1.0),
        (lambda v: exponential_average(v, 1), [NAN, 1.0], torch.float32, 1.0),
        (lambda v: exponential_average(v, 3), [1.0, INF], torch.float32, INF),
        (lambda v: exponential_average(v, 5), [60_000.0, 60_000.0], torch.float16, 60_000.0),
        (lambda v: windowed_median(v, 3), [INF, INF, 1.0], torch.float32, INF),
        (lambda v: windowed_median(v, 2), [INF, INF], torch.float32, INF),
        (lambda v: windowed_median(v, 3), [1.0, 2.0, NAN], torch.float32, NAN),
        (training_progress, [60_000.0, 50_000.0, 40_000.0], torch.float16, 249.875),
        (training_progress, [1.0078125, 1.0, 1.0], torch.bfloat16, 2.609375),
    ],
)
def test_values_at_the_ends_of_a_precision(function, values, dtype, expected):
    result = function(torch.tensor(values, dtype=dtype))
    assert result.dtype == dtype
    assert result.item() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("smooth", [exponential_average, windowed_median])
def test_smoothing_says_what_it_cannot_smooth(smooth):
    with pytest.raises(TypeError, match="Expected `window` to be a whole number"):
        smooth(tensor([1.0]), 1.5)
    for nothing in (tensor([]), tensor(1.0)):
        with pytest.raises(ValueError, match="Expected `values` to be a non-empty sequence"):
            smooth(nothing, 3)


def test_a_strip_is_a_whole_number_of_checks():
    for criterion in (partial(progress_quotient, tensor([1.0])), successive_increases):
        with pytest.raises(TypeError, match="Expected `strip_length` to be a whole number"):
            criterion(tensor([1.0]), "5")
