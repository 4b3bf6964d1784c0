"""How totals are made of the loss of the data."""

import math

import pytest
import torch

from torchvitals.functional.loss_scaling import is_moved, multiple_of

PARTS = (torch.rand(40, generator=torch.Generator().manual_seed(0)) + 0.5).tolist()


def in_single_precision(values):
    return torch.tensor(values, dtype=torch.float32).tolist()


@pytest.mark.parametrize("factor", [1e-3, 0.5, 1, 64, 1e6, -1])
@pytest.mark.parametrize("moved", [0.0, 10.0, -3.0])
def test_a_loss_that_is_scaled_or_moved_is_known_in_single_precision(factor, moved):
    totals = in_single_precision([factor * part + moved for part in PARTS])
    expected = factor if not moved else math.nan
    assert multiple_of(PARTS, totals) == pytest.approx(expected, rel=1e-5, nan_ok=True) or (
        abs(moved) < 1e-3 * abs(factor)  # which hardly moves it
    )
    assert is_moved(PARTS, totals) is (factor > 0)


def test_a_small_loss_beside_a_large_number_is_rounded_with_it():
    assert is_moved(PARTS, in_single_precision([1e-3 * part + 1000 for part in PARTS]))


@pytest.mark.parametrize("share", [0.5, 0.05, 0.005])
def test_a_penalty_that_shrinks_or_grows_is_neither(share):
    for rate in (0.99, 1.01):
        totals = [part + share * rate**i for i, part in enumerate(PARTS)]
        assert math.isnan(multiple_of(PARTS, totals))
        assert not is_moved(PARTS, totals)


@pytest.mark.parametrize(("every", "known"), [(10, True), (3, False)])
def test_a_few_batches_may_be_smaller(every, known):
    totals = [(7 if i % every == every - 1 else 32) * part for i, part in enumerate(PARTS)]
    assert math.isfinite(multiple_of(PARTS, totals)) is known


def test_a_penalty_that_soon_is_nothing_is_no_multiple_of_one():
    totals = [part + max(0.0, 0.5 - 0.1 * i) for i, part in enumerate(PARTS)]
    assert math.isnan(multiple_of(PARTS, totals))


@pytest.mark.parametrize("parts", [[], [1.0, 1.2], [1.0] * 20, [1.0, 1.001] * 10])
def test_too_few_or_too_similar_batches_do_not_tell(parts):
    totals = [3 * part for part in parts]
    assert math.isnan(multiple_of(parts, totals))
    assert not is_moved(parts, totals)
