import pytest
import torch
from scipy.stats import beta

from torchvitals.functional.mixing import beta_quantiles, cut_mix_boxes, soft_targets


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4, 1.0, 2.0, 8.0])
def test_beta_quantiles_equal_scipys(alpha):
    uniform = torch.linspace(0, 1, 501)
    expected = torch.from_numpy(beta.ppf(uniform.double().numpy(), alpha, alpha)).float()
    torch.testing.assert_close(beta_quantiles(uniform, alpha), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("x", "y", "pixels"),
    [(0.5, 0.5, 16), (0.0, 0.5, 8), (0.0, 0.0, 4), (0.99, 0.99, 9)],
)
def test_a_box_cut_at_the_border_leaves_more(x, y, pixels):
    boxes, left = cut_mix_boxes(*map(torch.tensor, ([0.75], [x], [y])), 8, 8)
    # Counted by hand: 4x4 pixels around the centre's column and row, two of them before it.
    assert boxes.sum() == pixels
    assert left.item() == 1 - pixels / 64


def test_shares_stay_and_classes_become_shares():
    shares = torch.rand(3, 4)
    assert soft_targets(shares) is shares
    expected = torch.nn.functional.one_hot(torch.tensor([2, 0]), 3).float()
    assert torch.equal(soft_targets(torch.tensor([2, 0]), 3), expected)
    with pytest.raises(ValueError, match=r"torch.int64 of shape \(2, 2\)"):
        soft_targets(torch.zeros(2, 2).long())
    with pytest.raises(ValueError, match=r"torch.float32 of shape \(2,\)"):
        soft_targets(torch.tensor([0.0, 1.0]), 2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_class_indices_of_any_whole_type_become_shares(dtype):
    assert torch.equal(soft_targets(torch.tensor([1, 0], dtype=dtype), 2), torch.eye(2).flip(0))
    assert soft_targets(torch.zeros(0, dtype=dtype), 3).shape == (0, 3)


@pytest.mark.parametrize(("wrong", "found"), [(3, "0 to 3"), (-1, "-1 to 0"), (255, "0 to 255")])
def test_a_class_index_out_of_range_is_refused(wrong, found):
    with pytest.raises(ValueError, match=f"class indices from 0 to 2, but got {found}. Set"):
        soft_targets(torch.tensor([0, wrong]), 3)


def test_a_class_index_out_of_range_is_not_lost_in_a_compiled_graph():
    compiled = torch.compile(soft_targets, fullgraph=True, backend="eager")
    assert torch.equal(compiled(torch.tensor([1, 0]), 2), torch.eye(2).flip(0))
    with pytest.raises(RuntimeError, match="out of bounds"):
        compiled(torch.tensor([1, 2]), 2)
