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


def test_a_class_that_is_not_there_has_a_finite_weight_and_a_defined_loss():
    weights = inverse_frequency_weights(torch.tensor([5, 0, 1]))
    assert weights.tolist() == pytest.approx([6 / 15, 2, 2])
    loss = torch.nn.functional.cross_entropy(torch.zeros(1, 3), torch.tensor([1]), weights.float())
    assert loss.isfinite()
