import math

import pytest
import torch
import torch.nn.functional as F

from torchvitals.functional import (
    dormant_units,
    layer_index,
    layer_mean_and_variance,
    layer_means,
    mean_drift,
    moment_sums,
    saturated_entries,
    unit_mean_and_variance,
    unit_moments,
    unit_statistics,
)
from torchvitals.functional.activations import UnitStatistics

# Wherever a sigmoid is saturated is at |x| = 5: this share of its largest derivative.
FLAT = 4 * torch.tensor(5.0, dtype=torch.float64).sigmoid().mul(torch.tensor(-5.0).sigmoid())


def statistics_of(outputs, unit_dim=1, kind="tanh"):
    return unit_statistics(moment_sums(unit_moments(outputs, unit_dim, kind)))


@pytest.mark.parametrize("kind", ["sigmoid", "tanh", "softsign", "hardsigmoid", "hardtanh"])
def test_saturated_is_where_the_derivative_is_that_of_a_sigmoid_beyond_five(kind):
    # No grid point lies on a limit, where rounding would decide.
    x = (torch.arange(-8, 8, 0.013, dtype=torch.float64) + 0.0021).requires_grad_()
    outputs = getattr(F, kind)(x)
    (derivative,) = torch.autograd.grad(outputs.sum(), x)
    at_zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (largest,) = torch.autograd.grad(getattr(F, kind)(at_zero), at_zero)
    expected = derivative <= FLAT * largest
    assert torch.equal(saturated_entries(outputs, kind), expected)
    assert torch.equal(saturated_entries(outputs.float(), kind), expected)
    assert 0.1 < expected.double().mean() < 0.9


@pytest.mark.parametrize(("kind", "limit"), [("sigmoid", 5.0), ("tanh", 2.5)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_limits_are_those_of_the_literature(kind, limit, sign):
    x = sign * torch.tensor([limit * 0.999, limit * 1.001])
    assert saturated_entries(getattr(F, kind)(x), kind).tolist() == [False, True]


def test_relu6_is_saturated_at_its_upper_end_alone():
    outputs = F.relu6(torch.tensor([-1.0, 0.0, 5.9, 6.0, 7.0]))
    assert saturated_entries(outputs, "relu6").tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("kind", ["relu", "leaky_relu", "gelu", "softplus", "elu"])
def test_what_cannot_saturate_has_no_share(kind):
    outputs = torch.randn(6, 3)
    assert saturated_entries(outputs, kind) is None
    assert statistics_of(outputs, kind=kind).saturated.isnan().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_outputs_meet_the_unrounded_limit(dtype):
    outputs = torch.tensor([0.9922, 0.9961, 0.0078, 0.0059]).to(dtype)
    assert saturated_entries(outputs, "sigmoid").tolist() == [False, True, False, True]


def loop(outputs, unit_dim, kind):
    """Statistics of each unit by a plain loop in double precision."""
    rows = []
    for unit in outputs.double().unbind(unit_dim):
        samples = [sample.reshape(-1) for sample in (unit if unit_dim else [unit])]
        values = torch.cat(samples)
        flat = saturated_entries(values, kind)
        means = torch.stack([sample.mean() for sample in samples])
        rows.append(
            [
                values.mean(),
                values.var(correction=0),
                values.abs().mean(),
                math.nan if flat is None else flat.double().mean(),
                means.var() / len(means) if len(means) > 1 else math.nan,
            ]
        )
    return torch.tensor(rows, dtype=torch.float64).T


SHAPES = [((8, 4), 1), ((8, 4), -1), ((6, 5, 4), -1), ((6, 4, 5), -2), ((6, 4, 5, 3), 1)]
SHAPES += [((6, 4, 3, 2, 5), -4), ((2, 3, 5, 4), -1), ((4, 5, 3), 0), ((4,), -1), ((1, 4), 1)]


@pytest.mark.parametrize(("shape", "unit_dim"), SHAPES)
@pytest.mark.parametrize("kind", ["sigmoid", "tanh", "relu", "gelu"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_statistics_equal_a_loop_over_units(shape, unit_dim, kind, dtype):
    x = 5 * torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    outputs = getattr(F, kind)(x).to(dtype)
    found = torch.stack(statistics_of(outputs, unit_dim, kind))
    expected = loop(outputs, unit_dim % outputs.ndim, kind)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-7, equal_nan=True)


def test_channels_last_is_the_same():
    outputs = torch.randn(6, 4, 5, 3, generator=torch.Generator().manual_seed(1))
    found = statistics_of(outputs.to(memory_format=torch.channels_last))
    for one, other in zip(found, statistics_of(outputs), strict=True):
        assert torch.allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("shape", [(128, 16, 32, 32), (4096, 64), (64, 16, 1), (64, 16, 512)])
@pytest.mark.parametrize("units_last", [False, True])
@pytest.mark.parametrize(("mean", "std"), [(100.0, 1.0), (-1.0, 1e-2), (0.5, 30.0)])
def test_a_mean_far_from_zero_costs_no_precision(shape, units_last, mean, std):
    outputs = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * std + mean
    if units_last:
        outputs = outputs.movedim(1, -1).contiguous().movedim(-1, 1)
    found = statistics_of(outputs, kind="identity")
    others = [d for d in range(outputs.ndim) if d != 1]
    exact = outputs.double()
    assert torch.allclose(found.mean, exact.mean(others), rtol=1e-5, atol=1e-5 * std)
    assert torch.allclose(found.variance, exact.var(others, correction=0), rtol=1e-5)
    by_sample = exact.flatten(2).mean(2) if exact.ndim > 2 else exact
    noise = by_sample.var(0) / len(by_sample)
    assert torch.allclose(found.mean_noise, noise, rtol=1e-3)


@pytest.mark.parametrize(("shape", "unit_dim"), SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_mean_and_variance_alone_are_those_of_torch(shape, unit_dim, dtype):
    outputs = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype) + 3
    exact = outputs.double().movedim(unit_dim, 0).reshape(outputs.shape[unit_dim], -1)
    mean, variance = unit_mean_and_variance(outputs, unit_dim)
    assert torch.allclose(mean.double(), exact.mean(1), rtol=1e-6)
    assert torch.allclose(variance.double(), exact.var(1, correction=0), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("sizes", [[32], [16, 16], [1, 30, 1], [20, 12]])
def test_sums_over_uneven_batches_are_those_of_all_outputs_together(sizes):
    outputs = 100 + torch.randn(32, 5, 7, generator=torch.Generator().manual_seed(1))
    sums = sum(moment_sums(unit_moments(part, 1, "tanh")) for part in outputs.split(sizes))
    found = torch.stack(unit_statistics(sums))
    assert torch.allclose(found, loop(outputs, 1, "tanh"), rtol=2e-5)


def test_mean_and_variance_of_a_layer_are_over_all_its_outputs():
    outputs = torch.randn(6, 4, 5, generator=torch.Generator().manual_seed(1)).double()
    outputs += torch.arange(4.0)[:, None]
    mean, variance = layer_mean_and_variance(statistics_of(outputs))
    assert mean.item() == pytest.approx(outputs.mean().item())
    assert variance.item() == pytest.approx(outputs.var(correction=0).item())


@pytest.mark.parametrize(
    ("magnitude", "threshold", "expected"),
    [
        ([0.0, 1.0, 2.0], 0.0, [True, False, False]),
        ([0.02, 1.0, 1.98], 0.025, [True, False, False]),
        ([0.03, 1.0, 1.97], 0.025, [False, False, False]),
        ([0.03, 1.0, 1.97], 0.1, [True, False, False]),
        ([0.0, 0.0], 0.025, [True, True]),
        ([math.nan, 1.0], 0.025, [False, False]),
    ],
)
def test_dormant_is_relative_to_the_mean_of_the_layer(magnitude, threshold, expected):
    assert dormant_units(torch.tensor(magnitude), threshold).tolist() == expected


def test_several_layers_in_a_row_are_judged_each_by_itself():
    generator = torch.Generator().manual_seed(1)
    layers = layer_index([3, 1, 40])
    windows = [
        [statistics_of(std * torch.randn(8, width, generator=generator)) for width in (3, 1, 40)]
        for std in (1.0, 2.0)
    ]
    windows[0][1].variance.fill_(math.nan)
    before, after = (UnitStatistics(*map(torch.cat, zip(*w, strict=True))) for w in windows)
    together = [
        layer_means(after.magnitude, layers),
        *layer_mean_and_variance(after, layers),
        mean_drift(before, after, layers),
    ]
    for i, (early, late) in enumerate(zip(*windows, strict=True)):
        alone = [late.magnitude.mean(), *layer_mean_and_variance(late), mean_drift(early, late)]
        torch.testing.assert_close([row[i] for row in together], alone, equal_nan=True)
    dormant = torch.cat([dormant_units(units.magnitude, 0.9) for units in windows[1]])
    assert torch.equal(dormant_units(after.magnitude, 0.9, layers), dormant)
    assert dormant.any()


@pytest.mark.parametrize("batch_size", [2, 4, 16, 256])
@pytest.mark.parametrize("positions", [1, 9])
@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_drift_is_the_shift_in_standard_deviations_whatever_the_batch_size(
    batch_size, positions, shift
):
    generator = torch.Generator().manual_seed(1)

    def window(mean):
        # Positions of one sample are alike, as neighbouring pixels are.
        sample = torch.randn(batch_size, 64, 1, generator=generator)
        entry = torch.randn(batch_size, 64, positions, generator=generator)
        scale = torch.linspace(0.5, 2, 64)[:, None]
        return statistics_of(3 + scale * ((sample + entry) / 2**0.5 + mean))

    squares = [float(mean_drift(window(0.0), window(shift))) ** 2 for _ in range(100)]
    # Noise alone would add 2 / batch_size to the square for one position.
    tolerance = 0.3 / batch_size + 0.02
    assert sum(squares) / len(squares) == pytest.approx(shift**2, abs=tolerance, rel=0.03)


def test_a_unit_that_revives_does_not_outweigh_the_layer():
    before = torch.randn(64, 10, generator=torch.Generator().manual_seed(1))
    before[:, 3] = 0.0
    after = before.clone()
    after[0, 3] = 0.1
    assert mean_drift(statistics_of(before), statistics_of(after)).item() < 0.1


@pytest.mark.parametrize("before", [torch.ones(1, 3), torch.ones(4, 3)])
def test_drift_without_samples_or_scale_is_unknown(before):
    after = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    assert mean_drift(statistics_of(before), statistics_of(after)).isnan()


def test_one_graph_gives_the_same_moments():
    compiled = torch.compile(unit_moments, backend="aot_eager", fullgraph=True)
    outputs = torch.randn(6, 4, 5, 3, generator=torch.Generator().manual_seed(1))
    found, expected = compiled(outputs, 1, "tanh"), unit_moments(outputs, 1, "tanh")
    assert torch.allclose(found, expected)
