import math
import statistics

import pytest
import torch

from torchvitals.functional import (
    RunningMoments,
    exploding_from,
    gradient_noise,
    not_finite_from,
    vanishing_from,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("profile", "begins"),
    [
        ([1e-6, 1e-5, 1e-4, 1e-1, 1.0], 2),
        ([1e-9, 1e-9, 1e-9, 1e-9, 1.0], 3),
        ([1e-9, 1e-9, 1.0], 1),
        ([0.0, 0.0, 0.0, 1.0], 2),
        # Only the layer at the input: small inputs, rarely used embeddings, adapters at zero.
        ([1e-9, 0.5, 0.5, 1.0], None),
        # A layer in the middle alone.
        ([0.5, 1e-9, 0.5, 1.0], None),
        ([0.02, 0.05, 0.3, 1.0], None),
        ([1e-9, 1.0], None),
        ([0.0, 0.0, 0.0, 0.0], None),
        ([NAN, NAN, NAN, NAN], None),
        ([], None),
    ],
)
def test_where_gradients_vanish(profile, begins):
    assert vanishing_from(profile) == begins
    assert vanishing_from([1e-12 * gradient for gradient in profile]) == begins


@pytest.mark.parametrize(
    ("profile", "begins"),
    [
        ([1e6, 1e5, 1e4, 10.0, 1.0], 2),
        ([1.0, 1e5, 1e4, 10.0, 1.0], 2),
        ([1.0, 1e5, 1.0], 1),
        # Inputs in 0..255, or larger still.
        ([1e9, 100.0, 10.0, 1.0], None),
        ([1e6, 1e5, 10.0, 10.0, 1.0], None),
        ([70.0, 60.0, 50.0, 1.0], None),
        ([INF, INF, INF, 1.0], 2),
        ([], None),
    ],
)
def test_where_gradients_explode(profile, begins):
    assert exploding_from(profile) == begins


@pytest.mark.parametrize(
    ("norms", "begins"), [([NAN, INF, 1.0], 1), ([1.0, NAN], 1), ([1.0, 2.0], None), ([], None)]
)
def test_where_gradients_cease_to_be_finite(norms, begins):
    assert not_finite_from(norms) == begins


@pytest.mark.parametrize("decay", [0.5, 0.97])
def test_running_moments_are_those_of_a_weighted_sample(decay):
    values = torch.randn(40, generator=torch.Generator().manual_seed(0)).double()
    moments = RunningMoments(decay)
    for value in values.tolist():
        moments.add(value)
    moments.add(NAN)
    moments.add(INF)
    weights = decay ** torch.arange(39, -1, -1).double()
    mean = (weights * values).sum() / weights.sum()
    variance = (weights * (values - mean) ** 2).sum() / weights.sum()
    assert moments.mean == pytest.approx(mean.item(), rel=1e-12)
    assert moments.deviation == pytest.approx(variance.sqrt().item(), rel=1e-12)
    assert moments.count == 40


def test_running_moments_of_nothing_and_of_one_value():
    moments = RunningMoments()
    assert math.isnan(moments.mean)
    moments.add(3.0)
    assert (moments.mean, moments.deviation) == (3.0, 0.0)


def test_gradient_noise_is_unbiased():
    """Gradients of single samples ~ N(m, s): |m|^2 and s^2 per entry are found on average."""
    generator = torch.Generator().manual_seed(0)
    samples = 0.5 + 2.0 * torch.randn(4000, 8, 10, generator=generator, dtype=torch.float64)
    noise, signal = zip(
        *(
            gradient_noise(
                draw.square().sum(1).mean().item(), draw.mean(0).square().sum().item(), 1, 8
            )
            for draw in samples
        ),
        strict=True,
    )
    assert statistics.mean(noise) == pytest.approx(10 * 4.0, rel=0.02)
    assert statistics.mean(signal) == pytest.approx(10 * 0.25, rel=0.1)


def test_gradient_noise_needs_two_batch_sizes():
    with pytest.raises(ValueError, match="big_batch"):
        gradient_noise(1.0, 1.0, 8, 8)
