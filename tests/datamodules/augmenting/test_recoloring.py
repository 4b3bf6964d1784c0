import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from torchvitals.datamodules import BatchAugment
from torchvitals.datamodules.augmenting.draws import Draws


def seeded(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def whole(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator)


def fixed(name, value, **arguments):
    """An operation that draws the same amount for every image."""
    return BatchAugment({name: [value, value]}, **arguments)


def drawn(value):
    """An amount as it is drawn: in single precision."""
    return torch.tensor(value).item()


COLORS = [
    ("brightness", 0.3, tv.adjust_brightness),
    ("brightness", 1.4, tv.adjust_brightness),
    ("contrast", 0.6, tv.adjust_contrast),
    ("contrast", 1.5, tv.adjust_contrast),
    ("saturation", 1.7, tv.adjust_saturation),
    ("saturation", 1.1, tv.adjust_saturation),
    ("saturation", 0.3, tv.adjust_saturation),
    ("hue", 0.2, tv.adjust_hue),
    ("hue", -0.4, tv.adjust_hue),
    ("hue", 0.05, tv.adjust_hue),
    ("sharpness", 0.2, tv.adjust_sharpness),
    ("sharpness", 1.9, tv.adjust_sharpness),
    ("posterize", 3, tv.posterize),
    (
        "solarize",
        0.6,
        lambda image, share: tv.solarize(image, share * (255 if image.dtype == torch.uint8 else 1)),
    ),
]


@pytest.mark.parametrize(("name", "value", "adjust"), COLORS)
@pytest.mark.parametrize("channels", [1, 3])
def test_clamped_operations_equal_torchvisions_of_uint8_to_the_last_bit(
    name, value, adjust, channels
):
    amount = value if name == "posterize" else drawn(value)
    images = seeded(3, channels, 16, 11)
    expected = torch.stack([adjust(image, amount) for image in images])
    augment = fixed(name, value, clamp=True)
    torch.testing.assert_close(augment(images), expected, atol=1e-5, rtol=0)
    images = whole(20, channels, 50, 41)
    expected = torch.stack([adjust(image, amount) for image in images])
    assert torch.equal(augment(images), expected)


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
@pytest.mark.parametrize("clamp", [False, True])
def test_operations_without_amount_equal_torchvisions(name, clamp):
    images = whole(6, 3, 30, 20) // 3 + 40
    expected = torch.stack([getattr(tv, name)(image) for image in images])
    assert torch.equal(BatchAugment({name: 1}, clamp=clamp)(images), expected)
    floats = images / 255
    expected = torch.stack([getattr(tv, name)(image) for image in floats])
    torch.testing.assert_close(BatchAugment({name: 1})(floats), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("value", [0.0, 0.7, 1.0])
def test_every_value_of_every_factor_is_exact(value):
    """All 16 million colours would take long: every gray, and every pair of two channels."""
    first, second = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    images = torch.stack([first, second, (first + second) // 2]).byte()[None]
    factors = {"brightness": 1.3, "contrast": 0.8, "saturation": value, "hue": value - 0.5}
    for name, factor in factors.items():
        expected = getattr(tv, f"adjust_{name}")(images[0], drawn(factor))[None]
        assert torch.equal(fixed(name, factor, clamp=True)(images), expected), name


UNCLAMPED = [c for c in COLORS if c[0] in ("brightness", "contrast", "saturation")]


@pytest.mark.parametrize(("name", "value", "adjust"), UNCLAMPED)
def test_one_color_matrix_equals_torchvisions_where_nothing_is_clamped(name, value, adjust):
    images = 0.4 + 0.1 * seeded(3, 3, 16, 11)
    torch.testing.assert_close(fixed(name, value)(images), adjust(images, value))


def test_a_chain_of_colors_is_one_matrix():
    factors = {"brightness": 0.9, "contrast": 1.2, "saturation": 0.7}
    images = expected = 0.4 + 0.1 * seeded(3, 3, 8, 8)
    for name, value in factors.items():
        expected = getattr(tv, f"adjust_{name}")(expected, value)
    augment = BatchAugment({name: [value, value] for name, value in factors.items()})
    torch.testing.assert_close(augment(images), expected)


def test_grayscale_and_the_fourth_channel():
    images = seeded(3, 4, 8, 8)
    gray = BatchAugment({"grayscale": 1})(images)
    expected = tv.rgb_to_grayscale(images[:, :3], num_output_channels=3)
    torch.testing.assert_close(gray[:, :3], expected)
    assert torch.equal(gray[:, 3], images[:, 3])
    pixels = whole(3, 3, 40, 40)
    expected = tv.rgb_to_grayscale(pixels, num_output_channels=3)
    assert torch.equal(BatchAugment({"grayscale": 1}, clamp=True)(pixels), expected)


BY_NAME = {
    "brightness": tv.adjust_brightness,
    "contrast": tv.adjust_contrast,
    "saturation": tv.adjust_saturation,
    "sharpness": tv.adjust_sharpness,
    "posterize": lambda image, bits: tv.posterize(image, round(bits)),
    "solarize": lambda image, threshold: tv.solarize(image, (torch.tensor(threshold) * 255).item()),
    "autocontrast": lambda image, _: tv.autocontrast(image),
    "equalize": lambda image, _: tv.equalize(image),
}


@pytest.mark.parametrize(("preset", "turns"), [("randaugment", 2), ("trivialaugment", 1)])
def test_chosen_operations_are_applied_in_the_order_chosen(preset, turns):
    images, index = whole(300, 3, 12, 15), torch.arange(300)
    augment = BatchAugment(preset, clamp=True)
    augmented = augment(images, index=index)
    uniform = augment._uniform(images, (index, 0))
    chosen = []
    expected = list(images)
    for turn in range(turns):
        draws = Draws(
            augment.operations, uniform, augment._numbers, turn=turn, extremes=augment.extremes
        )
        happens = {name: draws.happens(name).tolist() for name in augment.operations}
        amounts = {name: draws.amount(name).tolist() for name in BY_NAME}
        for place in range(len(images)):
            names = [name for name in happens if happens[name][place]]
            assert len(names) <= 1
            chosen.append(names[0] if names else "nothing")
            if chosen[-1] in BY_NAME:
                name = chosen[-1]
                expected[place] = BY_NAME[name](expected[place], amounts[name][place])
    assert len(set(chosen)) == 14
    by_image = [chosen[place :: len(images)] for place in range(len(images))]
    compared = 0
    for place, names in enumerate(by_image):
        if set(names) <= {*BY_NAME, "nothing"}:
            assert torch.equal(augmented[place], expected[place]), names
            compared += 1
    assert compared > 80
    if turns == 2:
        # In both orders, and the same one twice.
        pairs = {tuple(names) for names in by_image}
        assert any(first == second for first, second in pairs)
        assert any((second, first) in pairs for first, second in pairs if first != second)


@pytest.mark.parametrize(
    ("preset", "nothing"), [("trivialaugment", 1 / 14), ("randaugment", 1 / 196)]
)
def test_presets_choose_nothing_as_often_as_the_papers(preset, nothing):
    images = seeded(1, 3, 9, 9).expand(4000, 3, 9, 9)
    same = (BatchAugment(preset)(images) - images).abs().amax((1, 2, 3)) < 1e-6
    # Solarize by a threshold above every pixel does nothing, too.
    assert nothing * 0.7 < same.float().mean().item() < nothing * 1.3 + 0.01


def test_trivial_augment_translates_by_pixels_whatever_the_size():
    operations = BatchAugment("trivialaugment").operations
    assert operations["translate_x"].high == 32
    dots = torch.zeros(400, 1, 9, 101)
    dots[:, :, 4, 50] = 1
    moved = BatchAugment({"translate_x": 32})(dots)
    columns = (moved.sum(2)[:, 0] * torch.arange(101)).sum(1)
    assert 18 <= columns.min() < 22
    assert 78 < columns.max() <= 82


@pytest.mark.parametrize("preset", ["randaugment", "trivialaugment"])
@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("images", [seeded(60, 3, 11, 8), whole(60, 1, 11, 8)])
def test_choices_are_the_same_image_by_image_and_for_all_at_once(
    preset, clamp, images, monkeypatch
):
    augment, index = BatchAugment(preset, clamp=clamp), torch.arange(60)
    masks = (images[:, 0] > 0.5).long()
    one_by_one = augment(images, masks=masks, index=index)
    # As on a GPU.
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    together = augment(images, masks=masks, index=index)
    assert torch.equal(one_by_one[1], together[1])
    difference = (one_by_one[0].double() - together[0].double()).abs()
    if images.is_floating_point():
        assert (difference > 1e-5).double().mean() < 1e-3  # steps that fall on either side
    else:
        assert (difference > 1).double().mean() < 1e-3
