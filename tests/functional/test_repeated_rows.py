import pytest
import torch

from torchvitals.functional.repeated_rows import repeated_rows


@pytest.mark.parametrize(("count", "earlier"), [(0, 3), (3, 0), (40, 60)])
def test_rows_are_compared_one_by_one(count, earlier):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(0, 4, (count, 3), generator=generator).float()
    before = torch.randint(0, 4, (earlier, 3), generator=generator).float()
    known = set(map(tuple, before.tolist()))
    assert repeated_rows(rows, before).tolist() == [tuple(row) in known for row in rows.tolist()]
