"""Blurs, boxes and normal draws, beside torchvision's and plain loops."""

import math

import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import functional as tv

from torchvitals.functional.pixels import box_masks, gaussian_blur, normal_from_uniform


def uniform(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("kernel_size", [3, 5, 9])
@pytest.mark.parametrize("shape", [(11, 13), (9, 9), (5, 20)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_image_is_blurred_as_torchvision_does_it(kernel_size, shape, dtype):
    if kernel_size // 2 >= min(shape):
        pytest.skip("torchvision refuses a kernel that reaches beyond the image")
    images = uniform(3, 2, *shape).to(dtype)
    sigma = torch.tensor([0.3, 1.0, 4.0])
    found = gaussian_blur(images, sigma, kernel_size)
    wanted = [
        tv.gaussian_blur(image, [kernel_size] * 2, [float(s)] * 2)
        for image, s in zip(images, sigma, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-5, atol=1e-6)


def test_a_blur_of_no_width_is_none_and_small_images_are_blurred_as_far_as_they_go():
    images = uniform(2, 1, 2, 3)
    torch.testing.assert_close(gaussian_blur(images, torch.zeros(2), 5), images)
    mean = gaussian_blur(images, torch.full((2,), 1e4), 99).mean((2, 3))
    assert ((mean > images.amin((2, 3))) & (mean < images.amax((2, 3)))).all()


@pytest.mark.parametrize(("height", "width"), [(7, 5), (1, 9), (16, 16)])
def test_boxes_lie_inside_and_have_their_area_and_shape(height, width):
    area, x, y = uniform(3, 200)
    aspect = 3 ** (2 * uniform(200) - 1)
    masks = box_masks(area, aspect, x, y, height, width)[:, 0]
    for mask, share, ratio, right, down in zip(masks, area, aspect, x, y, strict=True):
        pixels = float(share) * height * width
        tall = min(height, round(math.sqrt(pixels * float(ratio))))
        wide = min(width, round(math.sqrt(pixels / float(ratio))))
        top = min(height - 1, math.floor(float(down) * (height - tall + 1)))
        left = min(width - 1, math.floor(float(right) * (width - wide + 1)))
        wanted = torch.zeros(height, width, dtype=torch.bool)
        wanted[top : top + tall, left : left + wide] = True
        assert torch.equal(mask, wanted)
        assert mask.sum() == tall * wide


def test_normal_draws_are_normal_and_independent():
    drawn = normal_from_uniform(uniform(20_000, 2))
    assert stats.kstest(drawn.flatten().numpy(), "norm").pvalue > 0.01
    assert abs(float(drawn.T.corrcoef()[0, 1])) < 0.03
    assert abs(float(drawn.square().T.corrcoef()[0, 1])) < 0.03


def test_pairs_are_those_of_the_formula():
    first, second = 0.3, 0.9
    radius = math.sqrt(-2 * math.log(1 - first))
    wanted = [radius * math.cos(2 * math.pi * second), radius * math.sin(2 * math.pi * second)]
    found = normal_from_uniform(torch.tensor([first, second], dtype=torch.float64))
    assert found.tolist() == pytest.approx(wanted)
