import math

import pytest
import torch

from torchvitals.functional.same_bits import same_bits


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (torch.tensor(math.nan), torch.tensor(math.nan), True),
        (torch.tensor(0.0), torch.tensor(-0.0), False),
        (torch.ones(2), torch.ones(1, 2), False),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), False),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int32), False),
        (torch.empty(0), torch.empty(0), True),
        *(
            (torch.ones(3, dtype=dtype), torch.ones(3, dtype=dtype), True)
            for dtype in (torch.bfloat16, torch.complex128, torch.int16, torch.bool)
        ),
    ],
)
def test_same_bits(one, other, same):
    assert same_bits(one, other) is same
    assert same_bits(other, one) is same
