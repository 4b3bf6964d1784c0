import pytest
import torch
from torchvision.transforms.v2.functional import center_crop, resize

from torchvitals.functional.resizing import cover_and_cut


@pytest.mark.parametrize("shape", [(8, 8), (12, 8), (8, 13), (40, 31)])
@pytest.mark.parametrize("size", [(8, 8), (16, 16), (5, 9), (32, 20)])
def test_it_is_torchvisions_resize_and_centre_crop(shape, size):
    images = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    scale = max(size[0] / shape[0], size[1] / shape[1])
    cover = [max(round(side * scale), least) for side, least in zip(shape, size, strict=True)]
    resized = images if cover == list(shape) else resize(images, cover, antialias=True)
    top, left = (cover[0] - size[0]) // 2, (cover[1] - size[1]) // 2
    expected = resized[..., top : top + size[0], left : left + size[1]]
    ours = cover_and_cut(images, *size)
    torch.testing.assert_close(ours, expected)
    if (cover[0] - size[0]) % 2 == 0 and (cover[1] - size[1]) % 2 == 0:
        torch.testing.assert_close(ours, center_crop(resized, list(size)))


def test_the_same_size_is_the_same_tensor():
    images = torch.rand(1, 1, 4, 5)
    assert cover_and_cut(images, 4, 5) is images
