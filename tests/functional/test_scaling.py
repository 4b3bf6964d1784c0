import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from torchvitals.functional.scaling import (
    column_quantiles,
    min_max_scaling,
    robust_scaling,
    scale_columns,
    standard_scaling,
    unscale_columns,
)

PAIRS = {
    "standard": (standard_scaling, StandardScaler()),
    "0..1": (min_max_scaling, MinMaxScaler()),
    "-1..1": (lambda x: min_max_scaling(x, -1.0, 1.0), MinMaxScaler((-1, 1))),
    "robust": (robust_scaling, RobustScaler()),
}
LOADERS = [load_wine, load_breast_cancer, load_diabetes]


def noise(*shape, scale=1.0, offset=0.0):
    return np.random.default_rng(0).normal(offset, scale, shape)


def with_holes(x):
    x = x.copy()
    x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    return x


REAL = {load.__name__: load(return_X_y=True)[0] for load in LOADERS}
TABLES = {
    **REAL,
    "holes": with_holes(REAL["load_wine"]),
    "one row": noise(1, 3),
    "two rows": noise(2, 3),
    "far from 0": noise(1000, 2, offset=1e9),
    "tiny": noise(50, 2, scale=1e-9),
    "constant": np.repeat([[0.1, -7.3, 0.0, 1e2 / 3]], 37, 0),
    "skewed": np.exp(noise(501, 4, scale=3)),
}


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("table", TABLES)
def test_scaling_equals_scikit_learns(kind, table):
    fit, oracle = PAIRS[kind]
    x = TABLES[table]
    expected = oracle.fit(x).transform(x)
    scaling = fit(torch.from_numpy(x))
    scaled = scale_columns(torch.from_numpy(x), scaling)
    # Beside 1e9, float64 itself tells values apart to 1e-7 only.
    tolerance = 1e-6 if table == "far from 0" else 1e-12
    np.testing.assert_allclose(scaled.numpy(), expected, rtol=tolerance, atol=tolerance)
    back = unscale_columns(scaled, scaling).numpy()
    np.testing.assert_allclose(back, x, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(torch.isnan(scaled).numpy(), np.isnan(x))


def test_mean_and_deviation_are_exact_far_from_0():
    x = TABLES["far from 0"][:, 0]
    exact = [Fraction(value) for value in x.tolist()]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    scaling = standard_scaling(torch.from_numpy(x)[:, None])
    assert scaling.center.item() == float(mean)
    assert scaling.scale.item() == pytest.approx(math.sqrt(variance), rel=1e-14)


@pytest.mark.parametrize("kind", PAIRS)
def test_infinities_and_single_precision_do_not_move_the_statistics(kind):
    fit, _ = PAIRS[kind]
    x = torch.from_numpy(TABLES["load_wine"]).float()
    spoilt = torch.cat([x, torch.full((3, x.shape[1]), torch.inf), -torch.inf * x[:2]])
    for got, expected in zip(fit(spoilt), fit(x.double()), strict=True):
        assert got.dtype == torch.float64
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("rows", [0, 4])
def test_a_column_in_which_nothing_is_known_becomes_0(kind, rows):
    fit, _ = PAIRS[kind]
    scaling = fit(torch.full((rows, 2), torch.nan))
    assert scale_columns(torch.tensor([[1e30, -3.0]]), scaling).abs().tolist() == [[0, 0]]
    assert unscale_columns(torch.zeros(1, 2), scaling).isnan().all()


def test_a_range_of_0_gives_way_to_the_standard_deviation():
    x = torch.zeros(100, 1)
    x[:10] = torch.arange(1.0, 11.0)[:, None] * 1e4
    scaling = robust_scaling(x)
    assert scaling.center.item() == 0
    assert scaling.scale.item() == pytest.approx(x.numpy().std(dtype=np.float64), rel=1e-12)


@pytest.mark.parametrize("table", ["load_wine", "skewed", "two rows", "one row", "holes"])
def test_quantiles_equal_numpys(table):
    q = np.linspace(0, 1, 11)
    expected = np.nanquantile(TABLES[table], q, axis=0)
    got = column_quantiles(torch.from_numpy(TABLES[table]), torch.from_numpy(q))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-13)


@pytest.mark.parametrize("kind", PAIRS)
def test_what_float64_cannot_hold_has_no_finite_scale(kind):
    x = torch.tensor([[1.7e308, 1.0], [-1.7e308, 3.0], [-1.7e308, 2.0]], dtype=torch.float64)
    scale = PAIRS[kind][0](x).scale
    assert scale.isfinite().tolist() == [False, True]


def test_a_wrong_range_is_refused():
    with pytest.raises(ValueError, match="`high` to be above `low`"):
        min_max_scaling(torch.zeros(1, 1), 1.0, 1.0)
