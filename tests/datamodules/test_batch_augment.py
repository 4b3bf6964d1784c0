import copy
import pickle

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from torchvitals.datamodules import BatchAugment
from torchvitals.datamodules.augmenting.presets import PRESETS

EVERYTHING = {
    "rotation": 15,
    "shift": 0.1,
    "crop": 0.1,
    "zoom": 0.2,
    "shear": 10,
    "horizontal_flip": 0.5,
    "vertical_flip": 0.5,
    "random_crop": 2,
    "resized_crop": 0.5,
    "brightness": 0.2,
    "contrast": 0.2,
    "saturation": 0.2,
    "hue": 0.1,
    "grayscale": 0.3,
    "sharpness": 0.3,
    "posterize": {"range": 5, "p": 0.2},
    "solarize": {"range": 0.9, "p": 0.2},
    "autocontrast": 0.2,
    "equalize": 0.2,
    "erasing": 0.5,
    "noise": 0.05,
    "blur": {"range": 1.0, "p": 0.5},
    "translate": 1.5,
}


def seeded(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def fixed(name, value):
    """An operation that draws the same amount for every image."""
    return BatchAugment({name: [value, value]})


@pytest.mark.parametrize("operations", [*sorted(set(PRESETS) - {"none"}), EVERYTHING])
def test_data_1_images_of_one_batch_get_different_parameters(operations):
    images = seeded(1, 3, 12, 10).expand(16, 3, 12, 10)
    augmented = BatchAugment(operations)(images)
    assert augmented.shape == images.shape
    # RandAugment draws few amounts, and TrivialAugment may choose nothing more than once.
    assert len({tuple(image.flatten().tolist()) for image in augmented}) >= 8
    assert torch.equal(images[0], images[15])


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("name", EVERYTHING)
def test_data_1_each_operation_draws_for_each_image(name, keyed):
    images = seeded(1, 3, 12, 10).expand(64, 3, 12, 10)
    index = torch.arange(64) if keyed else None
    augmented = BatchAugment({name: EVERYTHING[name]})(images, index=index)
    # What happens or not has two outcomes, a few bits or pixels some more.
    least = {"horizontal_flip": 2, "vertical_flip": 2, "grayscale": 2, "autocontrast": 2}
    least |= {"equalize": 2, "posterize": 3, "solarize": 4, "random_crop": 12, "erasing": 12}
    different = len({tuple(image.flatten().tolist()) for image in augmented})
    assert different >= least.get(name, 16)


@pytest.mark.parametrize("operations", [{"mixup": 0.4}, {"cutmix": 1}, {"mixup": 1, "cutmix": 1}])
def test_data_2_and_3_shares_depend_on_seed_epoch_and_index_alone(operations):
    augment, images = BatchAugment(operations, num_classes=24, seed=4), seeded(24, 1, 9, 7)

    def own_shares(order, epoch=3):
        _, shares = augment(images[order], order, index=order + 100, epoch=epoch)
        return shares.gather(1, order[:, None])[:, 0]

    whole, order = own_shares(torch.arange(24)), torch.randperm(24)
    parts = torch.cat([own_shares(part) for part in order.split([5, 2, 17])])
    torch.testing.assert_close(parts, whole[order])
    assert len(whole.unique()) > 6
    assert not torch.equal(own_shares(torch.arange(24), epoch=4), whole)


@pytest.mark.parametrize("operations", [*sorted(PRESETS), EVERYTHING])
def test_data_2_and_3_draws_draws_depend_on_seed_epoch_and_index_alone(operations):
    augment, images = BatchAugment(operations, seed=4), seeded(10, 3, 9, 7)
    index = torch.arange(10) * 11
    whole = augment(images, index=index, epoch=3)
    order = torch.tensor([7, 2, 9, 4, 0, 1, 3, 5, 8, 6])
    other = BatchAugment(operations, generator=torch.Generator().manual_seed(9), seed=4)
    parts = [other(images[o], index=index[o], epoch=3) for o in order.split([3, 1, 6])]
    torch.testing.assert_close(torch.cat(parts), whole[order], atol=1e-6, rtol=0)
    if operations != "none":
        assert not torch.equal(augment(images, index=index, epoch=4), whole)
        assert not torch.equal(BatchAugment(operations)(images, index=index, epoch=3), whole)


def test_data_4_the_global_generator_is_untouched_and_what_never_happens_draws_nothing():
    before = torch.get_rng_state()
    augment = BatchAugment({**EVERYTHING, "mixup": 0.2}, num_classes=3)
    augment(seeded(4, 3, 8, 8), torch.arange(4) % 3)
    assert torch.equal(torch.get_rng_state(), before)
    generator = torch.Generator().manual_seed(2)
    state = generator.get_state()
    never = {name: {"range": 0.1, "p": 0} for name in ("rotation", "hue", "noise", "mixup")}
    images = seeded(4, 3, 8, 8)
    assert BatchAugment({**never, "erasing": 0, "zoom": 0}, generator)(images) is images
    assert torch.equal(generator.get_state(), state)


def test_data_5_nothing_happens_in_eval_mode():
    augment, images = BatchAugment({**EVERYTHING, "mixup": 1}).eval(), seeded(4, 3, 8, 8)
    targets = torch.arange(4)
    assert augment(images) is images
    assert augment(images, targets)[1] is targets


@pytest.mark.parametrize("count", [0, 1, 3])
def test_data_11_batches_of_any_size(count):
    augment = BatchAugment({**EVERYTHING, "mixup": 1, "cutmix": 1}, num_classes=5)
    images, targets = augment(seeded(count, 3, 8, 6), torch.arange(count))
    assert images.shape == (count, 3, 8, 6)
    torch.testing.assert_close(targets.sum(1), torch.ones(count))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("operations", [EVERYTHING, {"random_crop": 2, "horizontal_flip": 0.5}])
def test_data_12_shape_dtype_and_memory_format_stay(dtype, channels, clamp, operations):
    pixels = seeded(4, channels, 12, 9).double()
    images = (pixels * 255).round().to(dtype) if dtype == torch.uint8 else pixels.to(dtype)
    scale = 255 if dtype == torch.uint8 else 1
    index = torch.arange(4)
    for layout in (torch.contiguous_format, torch.channels_last):
        given = images.contiguous(memory_format=layout)
        augmented = BatchAugment(operations, clamp=clamp)(given, index=index)
        assert (augmented.shape, augmented.dtype) == (images.shape, dtype)
        assert augmented.is_contiguous(memory_format=layout)
        in_float = BatchAugment(operations, clamp=clamp)(given.float() / scale, index=index)
        # Whole numbers are cut off after each operation, and hue magnifies what is lost.
        tolerance = 0.05 if clamp else 0.01
        error = (augmented.double() / scale - in_float).abs()
        assert error.mean() < tolerance
        assert augmented.min() >= 0
        assert augmented.max() <= scale


def test_data_13_whole_numbers_are_rounded_and_clamped_also_when_mixed():
    white = torch.full((2, 1, 2, 2), 201, dtype=torch.uint8)
    assert fixed("brightness", 2.0)(white).unique().tolist() == [255]
    assert fixed("brightness", 0.5)(white).unique().tolist() == [100]
    assert fixed("brightness", 0.49)(white).unique().tolist() == [98]
    images = torch.stack([torch.zeros(1, 4, 4), torch.full((1, 4, 4), 255)]).byte()
    mixed, shares = BatchAugment({"mixup": 1.0}, num_classes=2)(images, torch.tensor([0, 1]))
    assert mixed.dtype == torch.uint8
    assert mixed[:, 0, 0, 0].tolist() == (shares[:, 1] * 255).round().tolist()
    assert 0 < mixed[0, 0, 0, 0] < 255


IDENTITY = {
    "rotation": 1e-9,
    "shift": 1e-9,
    "zoom": 1e-9,
    "shear": 1e-9,
    "crop": 1e-9,
    "resized_crop": {"range": [0.3, 0.5], "p": 1e-12},
    "brightness": 1e-9,
    "contrast": 1e-9,
    "saturation": 1e-9,
    "hue": 1e-9,
    "grayscale": 1e-12,
    "sharpness": 1e-9,
    "posterize": {"range": 2, "p": 1e-12},
    "solarize": {"range": 0.0, "p": 1e-12},
    "autocontrast": 1e-12,
    "equalize": 1e-12,
    "translate": 1e-9,
    "erasing": 1e-12,
    "noise": 1e-9,
    "blur": 1e-9,
}


@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (3, 3, 33, 20), (3, 4, 7, 50)])
def test_data_14_identity_gives_the_images_back(shape, clamp):
    augment, images = BatchAugment(IDENTITY, clamp=clamp), seeded(*shape)
    assert set(augment.operations) == set(BatchAugment(EVERYTHING).operations) - {
        "horizontal_flip",
        "vertical_flip",
        "random_crop",
    }
    torch.testing.assert_close(augment(images), images, atol=1e-5, rtol=0)
    whole = (images * 255).byte()
    difference = augment(whole).int() - whole.int()
    # Cutting off after each operation may cost one where a factor misses 1 by a rounding.
    assert difference.abs().max() <= (1 if clamp else 0)


def test_data_15_masks_move_with_the_images_by_the_nearest_pixel():
    images = torch.zeros(8, 1, 40, 30)
    images[:, :, 8:20, 10:22] = 1
    masks = images[:, 0].long() * 200
    geometry = {key: EVERYTHING[key] for key in ("rotation", "shift", "zoom", "horizontal_flip")}
    augmented, targets, moved = BatchAugment(geometry)(images, torch.arange(8), masks=masks)
    assert moved.dtype == torch.int64
    assert sorted(moved.unique().tolist()) == [0, 200]
    assert torch.equal(targets, torch.arange(8))
    sure = (augmented[:, 0] - 0.5).abs() > 0.49
    assert torch.equal((moved == 200)[sure], (augmented[:, 0] > 0.5)[sure])
    assert not torch.equal(moved, masks)
    layered = BatchAugment(geometry)(images, masks=masks[:, None])[1]
    assert torch.equal(layered[:, 0], moved)


@pytest.mark.parametrize("operations", [{"mixup": 0.4}, {"cutmix": 1}, {"mixup": 1, "cutmix": 1}])
def test_data_16_shares_are_those_of_the_pixels_and_sum_to_1(operations):
    count = 64
    images = torch.eye(count)[:, :, None, None].expand(count, count, 9, 7).contiguous()
    mixed, shares = BatchAugment(operations, num_classes=count)(images, torch.arange(count))
    torch.testing.assert_close(shares, mixed.mean((2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(shares.sum(1), torch.ones(count))
    assert ((shares > 0).sum(1) <= 2).all()
    assert len(shares.max(1).values.unique()) > 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [("horizontal_flip", tv.horizontal_flip), ("vertical_flip", tv.vertical_flip)],
)
def test_flips_equal_torchvisions(name, expected):
    images = seeded(3, 3, 9, 14)
    flipped = BatchAugment({name: 1})(images)
    torch.testing.assert_close(flipped, expected(images), atol=1e-5, rtol=0)
    some = BatchAugment({name: 0.5})(images.repeat(40, 1, 1, 1))
    same = (some - images.repeat(40, 1, 1, 1)).abs().amax((1, 2, 3)) < 1e-5
    assert 30 < same.sum() < 90


def test_noise_has_its_deviation_and_blur_equals_torchvisions():
    gray = torch.full((4, 3, 64, 64), 0.5)
    for index in (None, torch.arange(4)):
        noise = fixed("noise", 0.1)(gray, index=index) - gray
        torch.testing.assert_close(noise.std((1, 2, 3)), torch.full((4,), 0.1), rtol=0.05, atol=0)
        assert noise.mean().abs() < 0.005
    images = seeded(3, 3, 20, 17)
    expected = tv.gaussian_blur(images, kernel_size=[7, 7], sigma=[1.0, 1.0])
    torch.testing.assert_close(fixed("blur", 1.0)(images), expected, atol=1e-5, rtol=0)


def test_erasing_sets_a_box_of_its_area_to_zero():
    images = torch.ones(200, 3, 40, 30)
    erased = BatchAugment({"erasing": {"range": [0.1, 0.3], "p": 0.5}})(images) == 0
    area = erased.float().mean((1, 2, 3))
    assert 70 < (area > 0).sum() < 130
    assert area.max() < 0.33
    rows, columns = erased[:, 0].any(2).sum(1), erased[:, 0].any(1).sum(1)
    torch.testing.assert_close(area * 1200, (rows * columns).float())


# Of uint8 these give whole numbers.
STEPS = ("sharpness", "posterize", "solarize", "autocontrast", "equalize")
CONTINUOUS = {name: value for name, value in EVERYTHING.items() if name not in STEPS}
MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
@pytest.mark.parametrize("operations", ["none", {"random_crop": 2}, CONTINUOUS])
def test_normalization_comes_last_and_also_in_eval_mode(operations, dtype):
    images = seeded(4, 3, 9, 8)
    images = (images * 255).to(dtype) if dtype == torch.uint8 else images.to(dtype)
    before, index = images.clone(), torch.arange(4)
    plain = BatchAugment(operations)
    normalizing = BatchAugment(operations, mean=MEAN, std=STD)
    for train in (True, False):
        augmented = plain.train(train)(
            images.float() / (255 if dtype == torch.uint8 else 1), index=index
        )
        expected = tv.normalize(augmented, MEAN, STD)
        found = normalizing.train(train)(images, index=index)
        assert found.dtype == (torch.float32 if dtype == torch.uint8 else dtype)
        tolerance = 2e-2 if dtype == torch.float16 else 1e-4
        torch.testing.assert_close(found.float(), expected, atol=tolerance, rtol=0)
    assert torch.equal(images, before)


def test_one_number_normalizes_every_channel_and_identity_stays():
    images = seeded(4, 3, 9, 8)
    found = BatchAugment({**IDENTITY}, mean=0.5, std=0.25)(images)
    torch.testing.assert_close(found * 0.25 + 0.5, images, atol=1e-5, rtol=0)


def test_state_goes_on_and_the_module_pickles():
    images, augment = seeded(4, 3, 8, 8), BatchAugment("strong", seed=1)
    augment(images)
    state = augment.state_dict()
    resumed = BatchAugment("strong", seed=5)
    resumed.load_state_dict(state)
    copies = [resumed, copy.deepcopy(augment), pickle.loads(pickle.dumps(augment))]
    expected = augment(images)
    assert all(torch.equal(other(images), expected) for other in copies)


@pytest.mark.parametrize(
    ("operations", "error", "message"),
    [
        ("strongest", ValueError, "Did you mean 'strong'"),
        ({"rotate": 5}, ValueError, "Did you mean 'rotation'"),
        ({"rotation": -5}, ValueError, "`rotation` to be at least 0, but got -5"),
        ({"hue": 0.7}, ValueError, "within -0.5 and 0.5"),
        ({"zoom": [1.2, 0.8]}, ValueError, "smaller number first"),
        ({"zoom": [1, 2, 3]}, ValueError, "range of two numbers"),
        ({"brightness": float("nan")}, ValueError, "`brightness`"),
        ({"blur": {"range": 1, "p": 2}}, ValueError, "`p` of `blur` between 0 and 1"),
        ({"blur": {"rnge": 1}}, ValueError, "'rnge'"),
        ({"blur": {"p": 1}}, ValueError, "'range'"),
        ({"mixup": [0.2, 1.0]}, ValueError, "`mixup` to be one number"),
        ({"random_crop": 2.5}, ValueError, "whole pixels"),
        ({"horizontal_flip": 2}, ValueError, "`horizontal_flip`"),
        ({"shift": "much"}, TypeError, "'much'"),
        ({"shift": True}, TypeError, "True"),
        ({"posterize": 9}, ValueError, "`posterize` to be a range within 1 and 8"),
        ({"solarize": -0.1}, ValueError, "`solarize`"),
        ({"translate": float("inf")}, ValueError, "`translate_x`"),
        (5, TypeError, "mapping of names"),
    ],
)
def test_wrong_operations_say_what_to_do(operations, error, message):
    with pytest.raises(error, match=message):
        BatchAugment(operations)


@pytest.mark.parametrize(
    ("operations", "arguments", "message"),
    [
        ({"mixup": 1}, {}, "`targets` to mix images"),
        ({"mixup": 1}, {"targets": torch.arange(2)}, "`num_classes`"),
        ({"hue": 0.1}, {"images": torch.rand(2, 2, 4, 4)}, "1, 3 or 4 channels"),
        ({"hue": 0.1}, {"images": torch.rand(2, 4, 4)}, r"shape \(N, C, H, W\)"),
        ({"hue": 0.1}, {"images": torch.zeros(2, 3, 4, 4).int()}, "torch.int32"),
        ({"hue": 0.1}, {"index": torch.arange(3)}, "each of 2 images"),
        ({"shift": 0.1}, {"masks": torch.zeros(2, 3, 3)}, "`masks` of the images' size"),
    ],
)
def test_wrong_batches_say_what_to_do(operations, arguments, message):
    arguments = {"images": torch.rand(2, 3, 4, 4), **arguments}
    with pytest.raises(ValueError, match=message):
        BatchAugment(operations)(**arguments)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (0.5, None, "`std` together with `mean`"),
        (None, 0.5, "`mean` together with `std`"),
        ((0.5, 0.5), (0.2, 0.2, 0.2), "as many numbers as `mean`, which has 2, but got 3"),
        (0.5, 0.0, "`std` to be above 0"),
        (float("nan"), 1.0, "`mean` to be finite"),
    ],
)
def test_wrong_statistics_say_what_to_do(mean, std, message):
    with pytest.raises(ValueError, match=message):
        BatchAugment("none", mean=mean, std=std)


def test_statistics_of_other_channels_say_so():
    augment = BatchAugment("none", mean=MEAN, std=STD)
    with pytest.raises(ValueError, match="`images` with 3 channels"):
        augment(torch.rand(2, 1, 4, 4))


# Factor and offset of images in 0..1.
RANGES = {"bytes": (255.0, 0.0), "normalised": (4.0, -2.0), "symmetric": (2.0, -1.0)}


@pytest.mark.parametrize(
    ("operations", "named"),
    [
        ({"brightness": 0.2}, "'brightness'"),
        ({"rotation": 5, "hue": 0.1, "contrast": 0.2}, "'contrast', 'hue'"),
        ({"noise": 0.1}, "'noise'"),
        ({"equalize": 1}, "'equalize'"),
        ("strong", "'brightness', 'contrast', 'saturation'"),
        ("trivialaugment", "'sharpness', 'posterize'"),
    ],
)
@pytest.mark.parametrize("scale", RANGES)
def test_floats_of_another_range_are_refused_where_colours_change(operations, named, scale):
    factor, offset = RANGES[scale]
    images = torch.linspace(0, 1, 16 * 3 * 64).view(16, 3, 8, 8) * factor + offset
    fix = "Divide them by 255" if scale == "bytes" else "Augment before you normalise"
    for dtype in (torch.float32, torch.bfloat16):
        augment = BatchAugment(operations)
        with pytest.raises(ValueError, match=rf"in 0\.\.1 for .*{named}.* but got -?\d.* {fix}"):
            augment(images.to(dtype))
        # A batch that was refused is no first batch.
        with pytest.raises(ValueError, match=r"`images` in 0\.\.1"):
            augment(images.to(dtype))
        assert torch.equal(augment.eval()(images), images)


@pytest.mark.parametrize("factor", [255.0, -2.0])
def test_floats_of_any_range_are_moved_erased_and_mixed(factor):
    operations = {"rotation": 10, "horizontal_flip": 0.5, "erasing": 0.5, "blur": 1, "cutmix": 1}
    images, targets = seeded(8, 3, 9, 8), torch.arange(8)
    expected, _ = BatchAugment(operations, num_classes=8)(images, targets)
    found, _ = BatchAugment(operations, num_classes=8)(images * factor, targets)
    torch.testing.assert_close(found, expected * factor)
    # What never happens needs no range either.
    BatchAugment({"brightness": 0, "hue": {"range": 0.1, "p": 0}})(images * factor)


def test_resampled_and_augmented_images_are_taken():
    sharp = (seeded(8, 3, 12, 12) > 0.8).float()
    resized = torch.nn.functional.interpolate(sharp, (30, 30), mode="bicubic", antialias=True)
    assert resized.min() < -0.05
    augment = BatchAugment("strong")
    for _ in range(2):
        resized = augment(resized)


def test_a_pixel_that_is_no_number_is_no_matter_of_the_range():
    images = seeded(2, 3, 4, 4)
    images[0, 0, 0, 0] = float("nan")
    assert BatchAugment({"brightness": 0.2})(images).shape == images.shape


def test_only_the_first_floats_are_looked_at():
    augment, images = BatchAugment({"brightness": 0.2}), seeded(2, 3, 4, 4)
    wrong = images * 255
    # No bytes and no empty batch count as the first.
    augment(wrong.byte())
    augment(wrong[:0])
    with pytest.raises(ValueError, match="`images`"):
        augment(wrong)
    augment(images)
    for known in (augment, copy.deepcopy(augment), pickle.loads(pickle.dumps(augment))):
        assert known(wrong).max() == 1
