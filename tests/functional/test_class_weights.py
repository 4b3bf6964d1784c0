import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from torchvitals.functional.class_weights import inverse_frequency_weights


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [2, 1, 0, 0, 1, 1, 1], [0, 1]])
def test_weights_equal_scikit_learns(labels):
    classes = np.unique(labels)
    expected = compute_class_weight("balanced", classes=classes, y=labels)
    weights = inverse_frequency_weights(torch.tensor(labels).bincount())
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([5, 0, 1], [3 / 5, 3, 3]), ([6, 2, 0], [2 / 3, 2, 2]), ([0, 4], [1, 1])],
)
def test_a_class_that_is_not_there_weighs_as_the_rarest_and_changes_no_other(counts, expected):
    weights = inverse_frequency_weights(torch.tensor(counts))
    assert weights.tolist() == pytest.approx(expected)
    assert (weights * torch.tensor(counts)).sum().item() == pytest.approx(sum(counts))


def test_a_loss_of_nothing_but_a_class_that_is_not_there_is_defined():
    weights = inverse_frequency_weights(torch.tensor([5, 0, 1]))
    loss = torch.nn.functional.cross_entropy(torch.zeros(1, 3), torch.tensor([1]), weights.float())
    assert loss.isfinite()
