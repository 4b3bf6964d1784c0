"""Penalties and their steps, of weights of any kind, beside formulas and torch's own steps."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchvitals.functional import (
    RunningMoments,
    decay_,
    l1_penalty,
    l2_penalty,
    soft_threshold_,
    zero_fraction,
)


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


KINDS = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64]


def weights(dtype):
    """Several of different shapes, one transposed, with a few zeros."""
    generator = torch.Generator().manual_seed(0)
    found = [torch.randn(shape, generator=generator) for shape in [(7,), (4, 5), (3, 2, 2), ()]]
    if dtype.is_complex:
        found = [torch.complex(w, 0.5 * w.flip(0) if w.ndim else w) for w in found]
    found[1][2:4, 1] = 0.0
    return [found[0].to(dtype), found[1].to(dtype).T, found[2].to(dtype), found[3].to(dtype)]


def exactly(tensors):
    return [complex(value) for tensor in tensors for value in tensor.flatten().tolist()]


@pytest.mark.parametrize("dtype", KINDS)
def test_sums_over_several_weights_are_those_of_a_loop(dtype):
    given = weights(dtype)
    values = exactly(given)
    assert float(l1_penalty(given)) == pytest.approx(sum(map(abs, values)), rel=1e-5)
    assert float(l2_penalty(given)) == pytest.approx(
        sum(abs(value) ** 2 for value in values) / 2, rel=1e-5
    )
    assert float(zero_fraction(given)) == pytest.approx(values.count(0) / len(values))
    assert values.count(0) == 2


@pytest.mark.parametrize("dtype", KINDS[:4])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 1e4])
def test_the_proximal_step_is_torchs_soft_shrinkage(dtype, threshold):
    given = weights(dtype)
    wanted = [F.softshrink(w.double(), threshold).to(dtype) for w in given]
    soft_threshold_(given, threshold)
    for found, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(found, other)


def test_the_proximal_step_leads_to_the_least_of_distance_and_penalty():
    weight, threshold = torch.tensor([1.3, -0.2, -2.0], dtype=torch.float64), 0.7
    grid = torch.linspace(-3, 3, 60_001, dtype=torch.float64)
    costs = (grid[:, None] - weight).square() / 2 + threshold * grid[:, None].abs()
    soft_threshold_([weight], threshold)
    torch.testing.assert_close(weight, grid[costs.argmin(0)], rtol=0, atol=2e-4)


@pytest.mark.parametrize("dtype", KINDS)
def test_decay_is_that_of_adamw_without_gradients(dtype):
    given = weights(dtype)
    others = [nn.Parameter(w.clone()) for w in given]
    for other in others:
        other.grad = torch.zeros_like(other)
    torch.optim.AdamW(others, lr=0.1, weight_decay=0.3, eps=0.1).step()
    decay_(given, 0.1 * 0.3)
    for found, other in zip(given, others, strict=True):
        torch.testing.assert_close(found, other.detach())
