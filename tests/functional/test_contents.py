import pytest
import torch

from torchvitals.functional.contents import content_hashes, first_alike

DTYPES = [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1,), (3,), (7,), (8,), (1, 5, 3), (3, 4, 4)])
def test_equal_rows_alone_share_a_hash(dtype, shape):
    rows = torch.arange(200)[:, None].expand(200, 64)[:, : torch.Size(shape).numel()]
    rows = rows.reshape(200, *shape).to(dtype)
    hashes = content_hashes(torch.cat([rows, rows.flip(0)]))
    assert torch.equal(hashes[:200], hashes[200:].flip(0))
    assert len(hashes.unique()) == len(rows.unique(dim=0))


@pytest.mark.parametrize("bit", [0, 7, 8, 63, 64, 503])
def test_every_bit_counts(bit):
    row = torch.zeros(1, 63, dtype=torch.uint8)
    changed = row.clone()
    changed[0, bit // 8] = 1 << bit % 8
    both = torch.zeros(1, 63, dtype=torch.uint8)
    both[0, [0, 62]] = torch.tensor([128, 128], dtype=torch.uint8)
    hashes = [content_hashes(rows).item() for rows in (row, changed, both)]
    assert len(set(hashes)) == 3


def test_the_order_of_words_counts_and_padding_is_no_content():
    words = torch.tensor([[1, 2, 3], [3, 2, 1], [1, 3, 2]])
    assert len(content_hashes(words).unique()) == 3
    assert content_hashes(words[:, :2]).unique().numel() == 3


def test_a_view_that_starts_between_words_is_hashed_as_its_copy():
    octets = torch.arange(33, dtype=torch.uint8)[1:].view(4, 8)
    assert torch.equal(content_hashes(octets), content_hashes(octets.clone()))
    columns = torch.rand(6, 4).t()
    assert torch.equal(content_hashes(columns), content_hashes(columns.contiguous()))


@pytest.mark.parametrize("rows", [torch.zeros(0, 3), torch.zeros(2, 0)])
def test_nothing_has_a_hash_too(rows):
    assert content_hashes(rows).tolist() == [0] * len(rows)


def test_the_first_of_equal_ones_is_found():
    hashes = torch.randint(-50, 50, (1000,), generator=torch.Generator().manual_seed(0))
    seen: dict[int, int] = {}
    expected = [seen.setdefault(value, place) for place, value in enumerate(hashes.tolist())]
    assert first_alike(hashes).tolist() == expected
    assert first_alike(hashes[:0]).tolist() == []
