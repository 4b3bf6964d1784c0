import numpy
import pytest
import torch

from torchvitals.functional.channel_moments import ChannelMoments


@pytest.mark.parametrize("block", [1, 7, 64])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_blocks_of_any_size_give_numpys_moments(block, offset):
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(50, 3, 5, 4, generator=draw, dtype=torch.float64) + offset
    moments = ChannelMoments()
    for part in images.split(block):
        moments.add(part)
    values = images.numpy()
    assert moments.count == 1000
    # Without its shift by the mean, a variance at 1e4 would keep 8 of 16 digits.
    numpy.testing.assert_allclose(moments.mean, values.mean((0, 2, 3)), rtol=1e-14)
    numpy.testing.assert_allclose(moments.deviation, values.std((0, 2, 3)), rtol=1e-11)


def test_bytes_are_counted_to_the_last_digit():
    images = torch.randint(0, 256, (100, 4, 9, 9), dtype=torch.uint8)
    moments = ChannelMoments()
    for part in images.split(33):
        moments.add(part)
    sums = images.numpy().astype(numpy.int64).sum((0, 2, 3))
    numpy.testing.assert_allclose(moments.mean * 8100, sums, rtol=1e-15)


def test_nothing_adds_nothing():
    moments = ChannelMoments()
    moments.add(torch.zeros(0, 1, 2, 2))
    assert (moments.count, moments.deviation.item()) == (0, 0.0)
    moments.add(torch.full((1, 1, 2, 2), 0.3, dtype=torch.float16))
    assert moments.deviation.item() == 0.0
