import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from torchvitals.datamodules import BatchAugment
from torchvitals.datamodules.augmenting.draws import Draws, needed_columns
from torchvitals.datamodules.augmenting.geometry import move
from torchvitals.datamodules.augmenting.operation import parse_operations


def seeded(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def draws_of(settings, *uniform):
    """Draws by hand: one row of uniform numbers for each image, in the columns' order."""
    operations = parse_operations(settings)
    return Draws(operations, torch.tensor(uniform), needed_columns(operations))


def inner(images, margin=2):
    return images[..., margin:-margin, margin:-margin]


BILINEAR = InterpolationMode.BILINEAR
FIXED = [
    ({"zoom": 1.3}, {"scale": 1.3}),
    ({"zoom": 0.8}, {"scale": 0.8}),
    ({"rotation": 25.0}, {"angle": -25.0}),
    ({"shear_x": 12.0}, {"shear": [12.0, 0.0]}),
    ({"shear_y": 12.0}, {"shear": [0.0, 12.0]}),
    ({"shear_y": -20.0}, {"shear": [0.0, -20.0]}),
    ({"translate_x": -3.0, "translate_y": 2.0}, {"translate": [3, -2]}),
    ({"rotation": 10.0, "zoom": 1.2}, {"angle": -10.0, "scale": 1.2}),
]


@pytest.mark.parametrize(("amounts", "arguments"), FIXED)
@pytest.mark.parametrize("size", [(24, 24), (20, 31)])
def test_geometry_equals_torchvisions(amounts, arguments, size):
    images = seeded(2, 3, *size)
    given = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **arguments}
    expected = tv.affine(images, **given, interpolation=BILINEAR)
    augment = BatchAugment({name: [value, value] for name, value in amounts.items()})
    # At the border torchvision weighs the zeros outside otherwise.
    torch.testing.assert_close(inner(augment(images), 5), inner(expected, 5), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("left", "top"), [(0.0, 0.25), (0.5, 0.5), (1.0, 0.75)])
def test_crop_equals_torchvisions(left, top):
    images = seeded(1, 3, 32, 48)
    # A quarter is cut off each side; the rest lies at a share of the 12 or 8 pixels of room.
    moved, _ = move(images, None, draws_of({"crop": [0.25, 0.25]}, [0.5, left, top]))
    window = [int(top * 8), int(left * 12), 24, 36]
    expected = tv.resized_crop(images, *window, [32, 48], BILINEAR, antialias=False)
    torch.testing.assert_close(inner(moved), inner(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("area", "aspect", "x", "y", "window"),
    [
        (0.25, 0.5, 0.25, 0.5, [8, 4, 16, 16]),
        (0.25, 0.5, 1.0, 0.0, [0, 16, 16, 16]),
        (0.75, 1.0, 0.5, 0.5, [4, 0, 24, 32]),  # as wide as 4 to 3
        (0.75, 0.0, 0.25, 0.5, [0, 2, 32, 24]),  # as tall as 4 to 3
    ],
)
def test_resized_crop_equals_torchvisions(area, aspect, x, y, window):
    images = seeded(1, 3, 32, 32)
    draws = draws_of({"resized_crop": [area, area]}, [0.5, aspect, x, y])
    moved, _ = move(images, None, draws)
    expected = tv.resized_crop(images, *window, [32, 32], BILINEAR, antialias=False)
    torch.testing.assert_close(inner(moved), inner(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.5, 0.99), (0.7, 0.3)])
@pytest.mark.parametrize("size", [(9, 13), (70, 64)])
def test_random_crop_and_flip_equal_torchvisions(x, y, flip, dtype, size):
    images = (seeded(1, 3, *size) * 255).to(dtype)
    masks = images[:, 0] > 100
    settings = {"random_crop": 3, "horizontal_flip": 1, "vertical_flip": 1}
    draws = draws_of(settings if flip else {"random_crop": 3}, [x, y])
    top, left = int(y * 7), int(x * 7)
    expected = tv.crop(tv.pad(images, 3), top, left, *size)
    if flip:
        expected = tv.vertical_flip(tv.horizontal_flip(expected))
    moved, moved_masks = move(images, masks, draws)
    assert torch.equal(moved, expected)
    assert moved.dtype == dtype
    inside = torch.ones(1, 1, *size)
    assert torch.equal(
        moved_masks, (expected[:, 0] > 100) & (move(inside, None, draws)[0][:, 0] > 0)
    )


def test_several_operations_are_applied_one_after_the_other():
    height, width = 30, 40
    amounts = {
        "rotation": 20.0,
        "shift_x": 0.1,
        "shift_y": -0.05,
        "zoom": 1.2,
        "shear_x": 10.0,
        "shear_y": -5.0,
        "translate_x": 1.5,
    }
    settings = {name: [value, value] for name, value in amounts.items()}
    images = seeded(1, 1, height, width)
    moved = BatchAugment({**settings, "horizontal_flip": 1})(images)
    # Oracle: where each pixel comes from, one operation at a time, in double precision.
    y, x = np.mgrid[:height, :width].astype(float)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    x = -x
    x, y = (
        x + math.tan(math.radians(10)) * y,
        y + math.tan(math.radians(-5)) * x,
    )
    x, y = x / 1.2, y / 1.2
    cos, sin = math.cos(math.radians(20)), math.sin(math.radians(20))
    x, y = cos * x - sin * y, sin * x + cos * y
    x, y = x + 0.1 * width + 1.5, y - 0.05 * height
    places = [y + (height - 1) / 2, x + (width - 1) / 2]
    expected = map_coordinates(
        images[0, 0].double().numpy(), places, order=1, mode="grid-constant", cval=0
    )
    torch.testing.assert_close(moved[0, 0].double(), torch.from_numpy(expected), atol=1e-4, rtol=0)
