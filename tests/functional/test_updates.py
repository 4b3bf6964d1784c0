import pytest
import torch

from torchvitals.functional import update_norms

SHAPES = [(3, 4), (0,), (), (200, 701), (64, 16, 17, 17)]


def weights(dtype, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    double = torch.complex128 if dtype.is_complex else torch.float64
    tensors = [torch.randn(shape, generator=generator, dtype=double) for shape in SHAPES]
    before = [(tensor * scale).to(dtype) for tensor in tensors]
    after = [(tensor * scale * 1.01 + scale * 1e-3).to(dtype) for tensor in tensors]
    return before, after


def assert_norms(found, before, after):
    wide = [
        (a.to(torch.complex128), b.to(torch.complex128)) for a, b in zip(before, after, strict=True)
    ]
    expected = [[a.norm().item() for a, _ in wide], [(b - a).norm().item() for a, b in wide]]
    for values, right in zip(found, expected, strict=True):
        assert values == pytest.approx(right, rel=2e-6, abs=0)


@pytest.mark.parametrize(
    "dtype",
    [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64],
)
@pytest.mark.parametrize("refresh", [False, True])
def test_lengths_and_moves_are_those_of_double_precision(dtype, refresh):
    before, after = weights(dtype)
    copies = [tensor.clone() for tensor in before]
    assert_norms(update_norms(copies, after, refresh=refresh), before, after)
    if refresh:
        assert all(torch.equal(copy, new) for copy, new in zip(copies, after, strict=True))


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e25])
def test_any_magnitude_is_right(scale):
    before, after = weights(torch.float32, scale)
    assert_norms(update_norms([tensor.clone() for tensor in before], after), before, after)


@pytest.mark.parametrize("value", [0.1, 0.3])
def test_many_equal_entries_are_summed_without_losing_precision(value):
    before, after = torch.zeros(1000, 1003), torch.full((1000, 1003), value)
    (length,), (move,) = update_norms([before], [after])
    assert length == 0
    assert move == pytest.approx(after.double().norm().item(), rel=3e-6)


@pytest.mark.parametrize("refresh", [False, True])
def test_weights_in_another_order_of_memory(refresh):
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(16, 8, 9, 11, generator=generator) for _ in range(2)]
    for strange in (
        [t.contiguous(memory_format=torch.channels_last) for t in tensors],
        [t.permute(3, 1, 0, 2) for t in tensors],
        [t[:, ::2].expand(16, 4, 9, 11).unsqueeze(-1).expand(-1, -1, -1, -1, 3) for t in tensors],
    ):
        before, after = strange
        copy = before.clone()
        assert_norms(update_norms([copy], [after], refresh=refresh), [before], [after])
        assert torch.equal(copy, after) or not refresh


def test_what_is_not_finite_stays_in_its_tensor():
    bad = torch.ones(10_000)
    bad[5] = float("nan")
    lengths, moves = update_norms([torch.ones(10_000), torch.ones(2)], [bad, torch.zeros(2)])
    assert lengths == pytest.approx([100.0, 2**0.5])
    assert moves[0] != moves[0]
    assert moves[1] == pytest.approx(2**0.5)
