"""Penalties and their steps, of weights of any kind, beside formulas written out."""

import pytest
import torch

from torchvitals.functional import RunningMoments, decay_, l1_penalty, l2_penalty, soft_threshold_


@pytest.mark.parametrize(
    ("weight", "l1", "l2"),
    [
        (torch.tensor([3.0, -4.0]), 7.0, 12.5),
        (torch.tensor([3.0, -4.0], dtype=torch.float64), 7.0, 12.5),
        (torch.tensor([3.0 + 4.0j]), 5.0, 12.5),
        (torch.tensor([300.0], dtype=torch.float16), 300.0, 45_000.0),
        (torch.full((100_000,), 2.0, dtype=torch.float16), 200_000.0, 200_000.0),
    ],
)
def test_penalties(weight, l1, l2):
    assert l1_penalty([weight]).item() == pytest.approx(l1)
    assert l2_penalty([weight]).item() == pytest.approx(l2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_gradient_of_half_the_squares_is_the_weight(dtype):
    weight = torch.randn(5, dtype=dtype, requires_grad=True)
    l2_penalty([weight]).backward()
    torch.testing.assert_close(weight.grad, weight.detach())


def test_complex_weights_move_towards_zero_along_their_own_direction():
    weight = torch.tensor([3.0 + 4.0j, 0.03 + 0.04j, 0.0j])
    soft_threshold_([weight], 1.0)
    torch.testing.assert_close(weight, torch.tensor([2.4 + 3.2j, 0.0j, 0.0j]))


def test_nothing_decays_where_there_is_nothing():
    decay_([], 0.1)


def test_moments_of_values_whose_squares_no_number_holds():
    moments = RunningMoments()
    moments.add(1e200)
    moments.add(-1e200)
    assert abs(moments.mean) < 1e200
    assert moments.deviation == float("inf")
