import pytest
import torch

from torchvitals.functional import active_units


@pytest.mark.parametrize(
    ("shape", "unit_dim"), [((6, 4), 1), ((6, 3, 4), -1), ((6, 4, 3, 2), 1), ((4, 3, 2), -3)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equals_a_loop_over_units(shape, unit_dim, dtype):
    outputs = torch.randn(shape, generator=torch.Generator().manual_seed(1)).relu().to(dtype)
    outputs.select(unit_dim, 2).zero_()
    expected = [bool((unit > 0).any()) for unit in outputs.unbind(unit_dim)]
    assert active_units(outputs, unit_dim).tolist() == expected
    assert not expected[2]


def test_nan_is_not_dead_and_an_empty_batch_shows_nothing():
    assert active_units(torch.tensor([[float("nan"), 0.0]]), 1).tolist() == [True, False]
    assert active_units(torch.zeros(0, 3), 1).tolist() == [False] * 3
