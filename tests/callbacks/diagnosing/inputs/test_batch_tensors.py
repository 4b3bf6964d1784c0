"""Whether targets are a batch's own, or something that a network has a part in."""

from dataclasses import dataclass

import pytest
import torch

from torchvitals.callbacks.diagnosing.inputs.batch_tensors import is_of_batch, tensors_of


@dataclass
class Batch:
    x: torch.Tensor
    extra: dict[str, torch.Tensor]


def values():
    torch.manual_seed(0)
    return torch.randn(32, 5), torch.rand(32, 1) * 9 + 1


FORMS = {
    "a tuple": lambda x, y: (x, y),
    "a dict": lambda x, y: {"x": x, "deep": [x, {"y": y}]},
    "a dataclass": lambda x, y: Batch(x, {"y": y}),
}
OWN = {
    "itself": lambda y: y,
    "without its column": lambda y: y.squeeze(1),
    "a part of it": lambda y: y[:20],
    "standardised": lambda y: (y - y.mean()) / y.std(),
    "its logarithm": lambda y: y.log(),
    "turned around": lambda y: 1 / y,
    "rounded": lambda y: y.half().float().squeeze(1),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("own", OWN.values(), ids=OWN.keys())
def test_targets_of_a_batch(own, form):
    x, y = values()
    assert is_of_batch(own(y), form(x, y))


def test_several_samples_of_one_value_are_of_the_batch_too():
    x, y = values()
    grades = y.round()
    assert is_of_batch((grades - grades.mean()) / grades.std() + 1e-8 * y, (x, grades))


def test_targets_that_a_network_has_a_part_in():
    x, _ = values()
    done = (torch.rand(32) < 0.1).float()
    bootstrapped = 1 + 0.99 * torch.rand(32) * (1 - done)
    assert not is_of_batch(bootstrapped, (x, torch.ones(32), done, torch.arange(32)))


def test_columns_are_compared_one_by_one():
    x, y = values()
    table = torch.cat([y, -(y**2), torch.ones_like(y), torch.rand(32, 1)], 1)
    scaled = (table - table.mean(0)) / (table.std(0) + 1e-6)
    assert is_of_batch(scaled, (x, table))
    assert not is_of_batch(scaled.flip(1), (x, table))


def test_what_cannot_be_compared_is_taken_for_the_batchs():
    _, y = values()
    for batch in ((), object(), "text", [torch.rand(32, 1).to_sparse()], y.cfloat()):
        assert is_of_batch(torch.rand(32, 1), batch)
    for target in (torch.rand(3), torch.empty(0), y.cfloat(), y.to_sparse()):
        assert is_of_batch(target, (y,))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "bool", "float8_e4m3fn", "int64"])
def test_numbers_of_any_type_are_compared(dtype):
    _, y = values()
    given = (y.round() if dtype != "bool" else y > 5).to(getattr(torch, dtype))
    assert is_of_batch(given.double() * 2 + 1, (given,))
    assert not is_of_batch(torch.rand(32, 1), (given,))
    assert not is_of_batch(given, (torch.rand(32, 1),))


def test_whatever_else_is_in_a_batch_is_passed_over():
    x, y = values()
    batch = ("name", None, 3, x.to_sparse(), torch.empty(0), [y], torch.zeros(32, 1).cfloat())
    assert len(list(tensors_of(batch))) == 3
    assert is_of_batch(y + 0, batch)
    assert not is_of_batch(torch.rand(32, 1), batch)
