import pytest
import torch
import torch.nn.functional as F

from torchvitals.functional import ACTIVITY_RULES, active_units


@pytest.mark.parametrize(
    ("shape", "unit_dim"), [((6, 4), 1), ((6, 3, 4), -1), ((6, 4, 3, 2), 1), ((4, 3, 2), -3)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("threshold", [0.0, 0.4])
@pytest.mark.parametrize("magnitude", [False, True])
def test_equals_a_loop_over_units(shape, unit_dim, dtype, threshold, magnitude):
    outputs = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype) - 0.5
    outputs.select(unit_dim, 2).zero_()
    outputs.select(unit_dim, 1).abs_().neg_()
    expected = []
    for unit in outputs.unbind(unit_dim):
        values = [abs(v) if magnitude else v for v in unit.flatten().tolist()]
        expected.append(any(value > threshold for value in values))
    found = active_units(outputs, unit_dim, threshold=threshold, magnitude=magnitude)
    assert found.tolist() == expected
    assert not expected[2]


def test_the_order_of_the_memory_does_not_matter():
    outputs = torch.randn(2, 64, 2, 2, generator=torch.Generator().manual_seed(1)) - 1
    found = active_units(outputs.to(memory_format=torch.channels_last), 1)
    assert found.tolist() == active_units(outputs, 1).tolist()
    assert 0 < found.sum() < len(found)


@pytest.mark.parametrize("magnitude", [False, True])
def test_nan_is_not_dead_and_an_empty_batch_shows_nothing(magnitude):
    outputs = torch.tensor([[float("nan"), 0.0]])
    assert active_units(outputs, 1, magnitude=magnitude).tolist() == [True, False]
    shown = active_units(torch.zeros(0, 3), 1, magnitude=magnitude)
    assert shown.dtype == torch.bool
    assert shown.tolist() == [False] * 3


def test_one_graph_whatever_the_batch():
    calls = []

    def backend(graph, inputs):
        calls.append(graph)
        return graph

    torch._dynamo.reset()
    compiled = torch.compile(active_units, backend=backend, fullgraph=True, dynamic=True)
    for size in (3, 5, 8):
        assert compiled(torch.ones(size, 2), 1).tolist() == [True, True]
    assert len(calls) == 1


# A unit whose inputs are all in the dead part, and one with a single input that is not.
@pytest.mark.parametrize(
    ("kind", "dead", "alive"),
    [
        ("relu", [-3.0, 0.0], [-3.0, 0.1]),
        ("relu6", [-3.0, 0.0], [-3.0, 0.1]),
        ("leaky_relu", [-3.0, -0.1], [-3.0, 0.1]),
        ("elu", [-5.0, -3.1], [-5.0, -2.9]),
        ("gelu", [-5.0, -2.8], [-5.0, -2.5]),
        ("silu", [-9.0, -6.6], [-9.0, -6.3]),
    ],
)
def test_the_rules_tell_units_whose_derivative_has_all_but_vanished(kind, dead, alive):
    rule = ACTIVITY_RULES[kind]
    inputs = torch.tensor([dead, alive], dtype=torch.float64).t().requires_grad_()
    outputs = getattr(F, kind)(inputs)
    assert active_units(outputs, 1, **rule._asdict()).tolist() == [False, True]
    outputs.sum().backward()
    limit = 0.051 if kind != "leaky_relu" else 0.011
    assert inputs.grad[:, 0].abs().max() < limit
