"""R2 is scikit-learn's in double precision, whatever the targets' mean and the batches."""

from functools import reduce

import pytest
import torch
from sklearn.metrics import r2_score

from torchvitals.functional.determination import (
    add_determination_sums,
    determination,
    determination_sums,
)


def numbers(offset, scale=1.0, outputs=2):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 1000, outputs, generator=generator, dtype=torch.float64)
    targets = (scale * noise[0] + offset).float()
    return (targets + 0.5 * scale * noise[1]).float(), targets


def expected(outputs, targets):
    each = r2_score(targets.double(), outputs.double(), multioutput="raw_values")
    return torch.from_numpy(each).float()


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
@pytest.mark.parametrize("offset", [0.0, -1e3, 1e4, 1e5])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_r2_is_scikit_learns(offset, scale, batch_size):
    outputs, targets = numbers(offset, scale)
    parts = map(determination_sums, outputs.split(batch_size), targets.split(batch_size))
    found = determination(reduce(add_determination_sums, parts, torch.zeros(5, 1)))
    torch.testing.assert_close(found, expected(outputs, targets), rtol=0, atol=1e-4)


def test_the_order_of_ranks_and_empty_ones_change_nothing():
    outputs, targets = numbers(1e5)
    # A rank whose targets are far from the others'.
    targets[600:] += 5e4
    parts = [determination_sums(outputs[rows], targets[rows])
             for rows in (slice(400), slice(400, 600), slice(600, 1000))]  # fmt: skip
    parts.insert(1, torch.zeros(5, 2))
    for order in (parts, parts[::-1]):
        found = determination(reduce(add_determination_sums, order))
        torch.testing.assert_close(found, expected(outputs, targets), rtol=1e-4, atol=0)


@pytest.mark.parametrize("targets", [[3.0, 3.0], [3.0, 4.0]])
@pytest.mark.parametrize("errors", [[0.0, 0.0], [0.0, 1.0]])
def test_targets_that_are_all_the_same(targets, errors):
    targets = torch.tensor(targets)[:, None]
    outputs = targets + torch.tensor(errors)[:, None]
    found = determination(determination_sums(outputs, targets))
    torch.testing.assert_close(found, expected(outputs, targets))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_targets_of_any_precision(dtype):
    outputs, targets = (values.to(dtype) for values in numbers(1e3))
    sums = determination_sums(outputs, targets)
    assert sums.dtype == torch.float32
    torch.testing.assert_close(determination(sums), expected(outputs, targets), rtol=0, atol=1e-3)


def test_one_sample_has_none():
    assert determination(determination_sums(torch.ones(1, 2), torch.zeros(1, 2))).isnan().all()
