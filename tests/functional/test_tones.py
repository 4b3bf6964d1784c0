import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from torchvitals.functional.tones import autocontrast, equalize, posterize, sharpen, solarize


def seeded(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def batch():
    """Images of full and of little contrast, one that is plain, one with few values."""
    images = seeded(5, 3, 17, 24)
    images[1] = 0.3 + 0.2 * images[1]
    images[2] = 0.4
    images[3] = (images[3] * 4).floor() / 4
    images[4] = images[4] ** 4
    return images


def rows(value, count=5):
    return torch.full((count,), float(value))


CASES = [
    *[("adjust_sharpness", factor, sharpen) for factor in (0.0, 0.3, 1.0, 1.7, 2.5)],
    *[("posterize", bits, posterize) for bits in (1, 4, 7, 8)],
    *[("solarize", threshold, solarize) for threshold in (0.0, 0.3, 0.7, 1.0)],
    ("autocontrast", None, autocontrast),
    ("equalize", None, equalize),
]


@pytest.mark.parametrize(("name", "amount", "ours"), CASES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("whole", [False, True])
def test_each_operation_equals_torchvisions(name, amount, ours, channels, whole):
    images = batch()[:, :channels]
    bound = 255.0 if whole else 1.0
    if whole:
        images = (images * 255).byte()
    arguments = [] if amount is None else [amount]
    if name == "adjust_sharpness":
        # The factor is drawn in single precision.
        arguments = [torch.tensor(amount).item()]
    if name == "solarize":
        arguments = [float(torch.tensor(amount) * bound)]
    expected = torch.stack([getattr(tv, name)(image, *arguments) for image in images])
    given = [images.float()] if amount is None else [images.float(), rows(amount)]
    keywords = {"whole": whole} if ours in (sharpen, autocontrast) else {}
    found = ours(*given, bound, **keywords)
    if whole:
        assert torch.equal(found.byte(), expected)
        assert torch.equal(found, found.round())
    else:
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_each_image_has_its_own_amount():
    images = batch()
    factors = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0])
    expected = [tv.adjust_sharpness(i, f) for i, f in zip(images, factors.tolist(), strict=True)]
    torch.testing.assert_close(sharpen(images, factors), torch.stack(expected))
    bits = torch.tensor([1, 2, 4, 7, 8])
    expected = [tv.posterize(i, b) for i, b in zip(images, bits.tolist(), strict=True)]
    torch.testing.assert_close(posterize(images, bits), torch.stack(expected))
    limits = torch.tensor([0.0, 0.25, 0.5, 0.9, 2.0])
    expected = [tv.solarize(i, min(t, 1.0)) for i, t in zip(images, limits.tolist(), strict=True)]
    torch.testing.assert_close(solarize(images, limits), torch.stack(expected))


@pytest.mark.parametrize("size", [(2, 9), (9, 1)])
def test_what_has_no_inner_pixels_is_not_sharpened(size):
    images = seeded(2, 3, *size)
    assert sharpen(images, rows(0.0, 2)) is images


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_values_out_of_range_are_equalized_as_the_nearest_in_it(value):
    images = seeded(1, 1, 20, 20)
    images[..., 0, 0] = value
    assert torch.equal(equalize(images), equalize(images.clamp(0, 1)))
