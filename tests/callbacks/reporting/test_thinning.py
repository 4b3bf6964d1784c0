import math
from itertools import pairwise

import pytest
import torch

from torchvitals.callbacks.reporting.thinning import (
    smooth_curve,
    thin_columns,
    thin_curve,
    thin_rows,
)


@pytest.mark.parametrize("size", [1, 9, 10, 11, 999, 1000, 12_345])
@pytest.mark.parametrize("most", [2, 10, 101])
def test_a_thinned_curve_keeps_order_and_extremes(size, most):
    values = torch.randn(size, generator=torch.Generator().manual_seed(size)).tolist()
    steps, kept = thin_curve(range(size), values, most)
    assert len(steps) <= max(most, 2)
    assert steps == sorted(set(steps))
    assert kept == [values[step] for step in steps]
    assert min(kept) == min(values)
    assert max(kept) == max(values)
    if size <= most:
        assert kept == values


def test_every_part_of_a_curve_is_kept():
    steps, _ = thin_curve(range(100_000), [0.0] * 100_000, 200)
    gaps = [b - a for a, b in pairwise(steps)]
    assert max(gaps) <= 2 * 1000


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_not_finite_is_kept(odd):
    values = [1.0] * 1000
    values[321] = odd
    steps, kept = thin_curve(range(1000), values, 20)
    assert 321 in steps
    assert str(kept[steps.index(321)]) == str(odd)


def test_smoothing_takes_means():
    assert smooth_curve(range(6), [1.0, 3.0, 2.0, 4.0, 0.0, 1.0], 3) == (
        [0.5, 2.5, 4.5],
        [2.0, 3.0, 0.5],
    )


def table(rows, columns):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize(("most", "size"), [(400, 5), (1999, 2), (2000, 1), (5000, 1)])
def test_columns_keep_what_stands_out(most, size):
    values = table(3, 2000)
    values[1, 777] = -50.0
    values[2, 1200:1300] = math.nan
    thin, steps = thin_columns(values, range(0, 20_000, 10), most)
    assert thin.shape == (3, len(steps))
    assert len(steps) == math.ceil(2000 / size)
    assert steps == sorted(steps)
    assert thin[1].min() == -50.0
    at = thin[1].argmin()
    assert abs(steps[at] - 7770) <= 10 * size
    assert bool(thin[2].isnan().any()) == (size < 100)
    known = values[~values.isnan()]
    assert torch.isin(thin[~thin.isnan()], known).all()


def test_rows_are_joined_with_a_name_of_both_ends():
    values = table(10, 7)
    values[5, 3] = 99.0
    names = [f"layer{i}" for i in range(10)]
    thin, joined = thin_rows(values, names, 4)
    assert joined == ["layer0 … layer2", "layer3 … layer5", "layer6 … layer8", "layer9"]
    assert thin.shape == (4, 7)
    assert thin[1, 3] == 99.0
    same, kept = thin_rows(values, names, 10)
    assert kept == names
    assert torch.equal(same, values)


def test_infinity_in_a_map_is_kept():
    values = torch.zeros(1, 100, dtype=torch.float64)
    values[0, 42] = math.inf
    thin, _ = thin_columns(values, range(100), 10)
    assert thin.isinf().sum() == 1
