import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from torchvitals.functional import affine_warp, keyed_uniform, move_pixels


def splitmix64(state: int) -> int:
    """Independent oracle: SplitMix64 in Python's own integers."""
    mask = 2**64 - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def test_draws_equal_splitmix64():
    draws = keyed_uniform(torch.tensor([0, 7, 123456]), 3, seed=5, epoch=2)
    for row, index in zip(draws, [0, 7, 123456], strict=True):
        key = splitmix64(splitmix64(splitmix64(5) + 2) + index)
        for i, value in enumerate(row.tolist(), start=1):
            bits = splitmix64((key + i * 0x9E3779B97F4A7C15) & (2**64 - 1))
            assert value == (bits >> 40) / 2**24


def test_draws_are_uniform_and_depend_on_the_key_alone():
    index = torch.arange(20_000)
    draws = keyed_uniform(index, 4, seed=0, epoch=0)
    assert draws.min() >= 0
    assert draws.max() < 1
    torch.testing.assert_close(draws.mean(0), torch.full((4,), 0.5), atol=0.01, rtol=0)
    torch.testing.assert_close(draws.var(0), torch.full((4,), 1 / 12), atol=0.003, rtol=0)
    assert torch.equal(keyed_uniform(index[5:9], 4, seed=0, epoch=0), draws[5:9])
    assert not torch.equal(keyed_uniform(index, 4, seed=0, epoch=1), draws)


def test_identity_gives_the_images_back():
    images = torch.rand(3, 2, 5, 8)
    identity = torch.eye(3)[:2].expand(3, 2, 3)
    torch.testing.assert_close(affine_warp(images, identity), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(9, 9), (6, 11)])
def test_rotation_and_shift_equal_torchvisions(shape):
    images = torch.rand(2, 3, *shape)
    angles, shifts = [20.0, -35.0], [(1.0, 2.0), (0.0, -1.0)]
    expected = [
        affine(image, angle, list(shift), 1.0, [0.0], interpolation=InterpolationMode.BILINEAR)
        for image, angle, shift in zip(images, angles, shifts, strict=True)
    ]
    radians = torch.tensor(angles).deg2rad()
    cos, sin = radians.cos(), radians.sin()
    inverse = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], 1)
    offset = -(inverse @ torch.tensor(shifts)[..., None])
    warped = affine_warp(images, torch.cat([inverse, offset], -1))
    torch.testing.assert_close(warped, torch.stack(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(5, 7), (64, 70)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_image_is_moved_by_its_own_offset_and_flips(size, layout):
    images = torch.rand(6, 2, *size).contiguous(memory_format=layout)
    x, y = torch.tensor([0, 1, -2, 3, 200, -4]), torch.tensor([0, -1, 2, -200, 0, 4])
    flip_x, flip_y = (
        torch.tensor([0, 1, 0, 1, 1, 1]).bool(),
        torch.tensor([0, 0, 1, 1, 0, 1]).bool(),
    )
    moved = move_pixels(images, x, y, flip_x, flip_y)
    for row in range(6):
        expected = torch.zeros(2, *size)
        for i in range(size[0]):
            for j in range(size[1]):
                source = (i + int(y[row]), j + int(x[row]))
                if 0 <= source[0] < size[0] and 0 <= source[1] < size[1]:
                    expected[:, i, j] = images[row, :, source[0], source[1]]
        dims = [dim for dim, flip in ((-1, flip_x), (-2, flip_y)) if flip[row]]
        assert torch.equal(moved[row], expected.flip(dims))
