import pytest
import torch

from torchvitals.functional.swap_noise import other_rows, swap_noise


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17])
def test_each_column_has_a_permutation_of_its_own_without_a_fixed_row(count):
    rows = other_rows(torch.rand(count, 5, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(rows.sort(0).values, torch.arange(count)[:, None].expand(count, 5))
    assert count < 2 or not (rows == torch.arange(count)[:, None]).any()
    assert count < 3 or len({tuple(column) for column in rows.T.tolist()}) > 1


def test_swapped_values_are_those_of_their_rows_and_the_others_stay():
    generator = torch.Generator().manual_seed(0)
    x, keys = torch.rand(8, 3, generator=generator), torch.rand(8, 3, generator=generator)
    swapped, rows = torch.rand(8, 3, generator=generator) < 0.5, other_rows(keys)
    mixed = swap_noise(x, swapped, rows)
    for row in range(8):
        for column in range(3):
            source = rows[row, column] if swapped[row, column] else row
            assert mixed[row, column] == x[source, column]
