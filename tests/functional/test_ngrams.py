import pytest
import torch

from torchvitals.functional import hash_ngrams, shift_right, splitmix64

MASK = 2**64 - 1


def splitmix64_in_python(state: int) -> int:
    """Independent oracle: SplitMix64 in Python's own integers."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def bucket_in_python(gram: list[int], buckets: int) -> int:
    state = 0
    for token in gram:
        state = splitmix64_in_python((state + token) & MASK)
    return 1 + (state >> 1) % (buckets - 1)


def test_hash_equals_splitmix64_with_wrapping():
    numbers = [0, 1, -1, 2**63 - 1, -(2**63), 123456789]
    hashed = [int(h) & MASK for h in splitmix64(torch.tensor(numbers))]
    assert hashed == [splitmix64_in_python(number & MASK) for number in numbers]


@pytest.mark.parametrize("bits", [1, 31, 63])
def test_shift_equals_that_of_unsigned_integers(bits):
    numbers = [0, 5, -1, -(2**63), 2**63 - 1]
    shifted = shift_right(torch.tensor(numbers), bits).tolist()
    assert shifted == [(number & MASK) >> bits for number in numbers]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("buckets", [2, 3, 100, 2**16, 2**40])
def test_buckets_equal_those_of_plain_python(n, buckets):
    rows = [[7, 3, 7, 0], [2**63 - 1, 2**62, 1, 9], [0, 4, 0, 4], [0, 0, 0, 0]]
    got = hash_ngrams(torch.tensor(rows), n, buckets)
    assert got.shape == (4, 4, n)
    for row, buckets_of_row in zip(rows, got.tolist(), strict=True):
        for start, k in ((start, k) for start in range(4) for k in range(n)):
            gram = row[start : start + k + 1]
            whole = len(gram) == k + 1 and 0 not in gram
            expected = bucket_in_python(gram, buckets) if whole else 0
            assert buckets_of_row[start][k] == expected


@pytest.mark.parametrize("length", [0, 1])
def test_texts_shorter_than_the_order(length):
    got = hash_ngrams(torch.full((2, length), 5), 3, 100)
    assert got.shape == (2, length, 3)
    assert torch.equal(got[:, :, 1:], torch.zeros(2, length, 2).long())
    assert bool((got[:, :, 0] > 0).all())


def test_same_ngram_has_the_same_bucket_whatever_surrounds_it():
    alone = hash_ngrams(torch.tensor([[8, 9]]), 2, 2**40)[0]
    among = hash_ngrams(torch.tensor([[1, 2, 0], [8, 9, 0], [0, 8, 9]]), 2, 2**40)
    assert torch.equal(among[1, :1], alone[:1])
    assert torch.equal(among[2, 1:], alone)
    reverse = hash_ngrams(torch.tensor([[9, 8]]), 2, 2**40)[0]
    assert reverse[0, 1] != alone[0, 1]


def test_buckets_of_neighbouring_ids_are_even():
    """Chi-square of counts lies within 6 standard deviations of that of uniform buckets."""
    ids = torch.arange(1, 100_001).reshape(1000, 100)
    got = hash_ngrams(ids, 2, 1001)
    assert got[:, :, 0].max() == 1000
    for k, grams in ((0, 100_000), (1, 99_000)):
        counts = torch.bincount(got[:, :, k].flatten(), minlength=1001)[1:].double()
        expected = grams / 1000
        statistic = ((counts - expected) ** 2 / expected).sum().item()
        assert abs(statistic - 999) < 6 * (2 * 999) ** 0.5


@pytest.mark.parametrize(("n", "buckets", "message"), [(0, 9, "`n`"), (1, 1, "`buckets`")])
def test_numbers_that_are_too_small(n, buckets, message):
    with pytest.raises(ValueError, match=message):
        hash_ngrams(torch.ones(1, 1).long(), n, buckets)


@pytest.mark.gpu
def test_same_buckets_on_the_gpu():
    ids = torch.randint(0, 2**62, (50, 20))
    assert torch.equal(hash_ngrams(ids.cuda(), 3, 1000).cpu(), hash_ngrams(ids, 3, 1000))
