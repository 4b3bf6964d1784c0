import pytest
import torch

from torchvitals.functional import (
    layer_gradient_norms,
    single_precision_range,
    total_norm,
)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_norms_equal_the_double_precision_norm_of_the_joined_vector(norm_type, dtype):
    generator = torch.Generator().manual_seed(0)
    layers = {
        name: [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
        for name, shapes in {"a": [(3, 4), (4,)], "b": [()], "empty": [], "zero": [(0, 5)]}.items()
    }
    expected = []
    for tensors in layers.values():
        joined = torch.cat([t.double().flatten() for t in tensors] or [torch.zeros(1)])
        joined = joined if joined.numel() else torch.zeros(1)
        expected.append(torch.linalg.vector_norm(joined.double(), norm_type))
    norms = layer_gradient_norms(layers, norm_type)
    torch.testing.assert_close(norms, torch.stack(expected), rtol=1e-5, atol=1e-12)
    joined = torch.stack(expected)
    torch.testing.assert_close(
        total_norm(norms, norm_type),
        torch.linalg.vector_norm(joined, norm_type),
        rtol=1e-5,
        atol=0,
    )


def test_norms_equal_those_of_float64_autograd():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 2))
    twin = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 2))
    twin.load_state_dict(network.state_dict())
    x = torch.randn(11, 5)
    network(x).square().sum().backward()
    twin.double()(x.double()).square().sum().backward()
    norms = layer_gradient_norms(
        {name: [p.grad for p in network[i].parameters()] for name, i in (("a", 0), ("b", 2))}
    )
    expected = [torch.cat([p.grad.flatten() for p in twin[i].parameters()]).norm() for i in (0, 2)]
    torch.testing.assert_close(norms, torch.stack(expected), rtol=1e-5, atol=0)


@pytest.mark.parametrize("scale", [1e-25, 1e-3, 1e25])
@pytest.mark.parametrize("norm_type", [2.0, 3.0])
def test_double_precision_holds_where_single_does_not(scale, norm_type):
    # Small tensors are summed in double precision in any case.
    entries = torch.cat([torch.tensor([3.0, 4.0]), torch.zeros(10_000)]) * scale
    expected = torch.linalg.vector_norm(entries.double(), norm_type)
    norms = layer_gradient_norms({"a": [entries]}, norm_type, dtype=torch.float64)
    assert norms.item() == pytest.approx(expected.item(), rel=1e-6, abs=0)
    low, high = single_precision_range(norm_type)
    single = layer_gradient_norms({"a": [entries]}, norm_type)
    inside = low <= expected.item() <= high
    # Of other orders entries are divided by the largest first.
    assert inside == (scale == 1e-3 or norm_type == 3.0)
    assert (single.item() == pytest.approx(expected.item(), rel=1e-6, abs=0)) == inside


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 4.0, float("inf")])
def test_single_precision_is_right_down_to_its_lowest_norm(norm_type):
    low, _ = single_precision_range(norm_type)
    entries = torch.full((10**6,), 2 * low / 10 ** (6 / norm_type))
    norms = layer_gradient_norms({"a": [entries]}, norm_type)
    assert norms.item() == pytest.approx(2 * low, rel=1e-5, abs=0)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("value", [0.1, 0.3])
def test_many_equal_entries_are_summed_without_losing_precision(norm_type, value):
    entries = torch.full((1000, 1003), value)
    norms = layer_gradient_norms({"a": [entries.t()]}, norm_type)
    expected = torch.linalg.vector_norm(entries.double(), norm_type)
    assert norms.item() == pytest.approx(expected.item(), rel=3e-6)


def test_half_precision_is_accumulated_in_single_precision():
    norms = layer_gradient_norms({"a": [torch.full((100,), 2e4, dtype=torch.float16)]})
    assert norms.item() == pytest.approx(2e5)


@pytest.mark.filterwarnings("ignore:Sparse .* tensor support")
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_gradients_of_every_sparse_layout(layout, norm_type):
    dense = torch.tensor([[0.0, 3.0, -4.0], [12.0, 0.0, 0.0]])
    norms = layer_gradient_norms({"s": [dense.to_sparse(layout=layout), dense]}, norm_type)
    joined = torch.cat([dense.flatten(), dense.flatten()]).double()
    torch.testing.assert_close(norms[0], torch.linalg.vector_norm(joined, norm_type))


def test_sparse_and_complex_gradients():
    sparse = torch.sparse_coo_tensor(
        [[0, 0]], torch.tensor([1.0, 2.0]), (4,), check_invariants=True
    )
    norms = layer_gradient_norms({"s": [sparse], "c": [torch.tensor([3 + 4j])]})
    assert norms.tolist() == pytest.approx([3.0, 5.0])


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("entries", [7, 10_000])
def test_the_norm_of_complex_gradients_is_that_of_their_magnitudes(norm_type, entries):
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(entries, dtype=torch.complex64, generator=generator)
    expected = torch.linalg.vector_norm(gradient.to(torch.complex128), norm_type)
    norms = layer_gradient_norms({"a": [gradient]}, norm_type)
    assert norms.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("norm_type", [0.5, 3.0, 30.0, 100.0, 1000.0])
@pytest.mark.parametrize("scale", [1e-25, 1e-5, 1.0, 1e25])
@pytest.mark.parametrize("entries", [7, 10_000])
def test_powers_of_any_order_neither_vanish_nor_overflow(norm_type, scale, entries):
    generator = torch.Generator().manual_seed(0)
    layers = {
        "a": [torch.randn(entries, generator=generator) * scale for _ in range(2)],
        "b": [torch.randn(3, generator=generator) * scale],
    }
    expected = []
    for tensors in layers.values():
        entries = torch.cat(tensors).double()
        largest = entries.abs().max()
        expected.append(torch.linalg.vector_norm(entries / largest, norm_type) * largest)
    norms = layer_gradient_norms(layers, norm_type)
    torch.testing.assert_close(norms, torch.stack(expected), rtol=1e-5, atol=0)
    low, high = single_precision_range(norm_type)
    assert norm_type < 1 or all(low <= norm <= high for norm in norms.tolist())
    joined = float(max(expected)) * torch.linalg.vector_norm(norms / max(expected), norm_type)
    torch.testing.assert_close(total_norm(norms, norm_type), joined, rtol=1e-9, atol=0)


@pytest.mark.parametrize("norm_type", [2.0, 100.0])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_so_in_any_order(norm_type, value):
    gradients = {"a": [torch.tensor([1.0, value]), torch.ones(2)], "b": [torch.zeros(2)]}
    norms = layer_gradient_norms(gradients, norm_type)
    assert norms.tolist() == pytest.approx([value, 0.0], nan_ok=True)
    assert total_norm(norms, norm_type).item() == pytest.approx(value, nan_ok=True)


def test_nan_stays_in_its_layer():
    norms = layer_gradient_norms({"a": [torch.tensor([float("nan")])], "b": [torch.ones(1)]})
    assert norms.isnan().tolist() == [True, False]


def test_wrong_order_is_refused():
    with pytest.raises(ValueError, match="norm_type"):
        layer_gradient_norms({}, 0)
