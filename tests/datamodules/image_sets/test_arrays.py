import numpy
import pytest
import torch

from torchvitals.datamodules.image_sets.arrays import read_arrays
from torchvitals.datamodules.image_sets.pixel_layout import channels_first

PIXELS = numpy.random.default_rng(0).integers(0, 256, (6, 5, 7, 3)).astype(numpy.uint8)


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (PIXELS, (6, 3, 5, 7)),
        (PIXELS.transpose(0, 3, 1, 2), (6, 3, 5, 7)),
        (torch.from_numpy(PIXELS), (6, 3, 5, 7)),
        (torch.from_numpy(PIXELS).permute(0, 3, 1, 2), (6, 3, 5, 7)),
        (PIXELS[..., 0], (6, 1, 5, 7)),
        (torch.from_numpy(PIXELS[..., 0]), (6, 1, 5, 7)),
        (PIXELS[..., :1], (6, 1, 5, 7)),
        (numpy.zeros((2, 3, 3, 3)), (2, 3, 3, 3)),
        (numpy.zeros((2, 5, 6, 2)), (2, 2, 5, 6)),
        (torch.zeros(2, 2, 5, 6), (2, 2, 5, 6)),
        (torch.zeros(2, 4, 5, 3), (2, 4, 5, 3)),
        (numpy.zeros((2, 13, 16, 16)), (2, 13, 16, 16)),
        (numpy.zeros((2, 16, 16, 13)), (2, 13, 16, 16)),
        (torch.zeros(2, 16, 15, 13), (2, 13, 16, 15)),
        (numpy.zeros((2, 2, 5, 6)), (2, 2, 5, 6)),
        (torch.zeros(2, 64, 8, 8), (2, 64, 8, 8)),
        (numpy.zeros((2, 8, 8, 64)), (2, 64, 8, 8)),
    ],
)
def test_layouts_are_told_apart(images, shape):
    assert channels_first(images).shape == shape
    if shape == (6, 3, 5, 7):
        assert numpy.array_equal(channels_first(images).permute(0, 2, 3, 1), PIXELS)


def test_where_both_ends_may_be_channels_numpys_are_last_and_torchs_first():
    images = numpy.zeros((1, 3, 2, 3), dtype=numpy.uint8)
    images[..., 0] = 9
    assert channels_first(images)[0, 0].unique().tolist() == [9]
    assert channels_first(torch.from_numpy(images))[0, 0].unique().tolist() == [0, 9]


@pytest.mark.parametrize(
    ("images", "dtype", "value"),
    [
        (PIXELS.astype(numpy.int64), torch.uint8, None),
        (PIXELS.astype(">i4"), torch.uint8, None),
        (PIXELS.astype(numpy.uint16), torch.uint8, None),
        (PIXELS.astype(numpy.uint64), torch.uint8, None),
        (numpy.full((2, 4, 4), 127, dtype=numpy.int8), torch.uint8, 127),
        (PIXELS[::-1], torch.uint8, None),
        (numpy.ones((2, 4, 4), dtype=bool), torch.uint8, 255),
        (numpy.full((2, 4, 4), 0.5), torch.float32, 0.5),
        (numpy.full((2, 4, 4), 0.5, dtype=numpy.float16), torch.float16, 0.5),
        (torch.full((2, 4, 4), 0.5, dtype=torch.bfloat16), torch.bfloat16, 0.5),
        (torch.full((2, 4, 4), 0.5, requires_grad=True), torch.float32, 0.5),
        (torch.full((2, 4, 4), 1.0001), torch.float32, None),
    ],
)
def test_numbers_become_bytes_or_stay_floating_point(images, dtype, value):
    pixels = channels_first(images)
    assert pixels.dtype == dtype
    assert not pixels.requires_grad
    assert value is None or pixels.unique().tolist() == [value]


def test_a_read_only_array_is_not_written_to():
    images = PIXELS.copy()
    images.setflags(write=False)
    channels_first(images).zero_()
    assert images.any()


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ([[0.0]], TypeError, "numpy array or a torch tensor .* but got list"),
        (numpy.zeros((5, 4)), ValueError, r"\(N, H, W\), but got \(5, 4\)"),
        (torch.zeros(2, 3, 0, 4), ValueError, r"but got \(2, 3, 0, 4\)"),
        (numpy.zeros((2, 4, 4), dtype=complex), ValueError, "complex128"),
        (torch.full((2, 4, 4), 200.0), ValueError, "in 0..1, but got 200 to 200"),
        (torch.randn(9, 8, 8), ValueError, "in 0..1, but got -"),
        (torch.full((2, 4, 4), torch.nan), ValueError, "but got nan to nan"),
        (torch.full((2, 4, 4), torch.inf), ValueError, "but got inf to inf"),
        (torch.full((2, 4, 4), 256), ValueError, "0 to 255 as pixels, but got 256 to 256"),
        (numpy.full((2, 4, 4), 65535, dtype=numpy.uint16), ValueError, "got 65535 to 65535"),
        (numpy.full((2, 4, 4), 2**32 - 1, dtype=numpy.uint32), ValueError, "got 4294967295 to"),
        (numpy.full((2, 4, 4), -1, dtype=numpy.int8), ValueError, "got -1 to -1"),
    ],
)
def test_what_are_no_images_says_what_is_expected(images, error, message):
    with pytest.raises(error, match=message):
        channels_first(images)


@pytest.mark.parametrize(
    ("labels", "indices", "names"),
    [
        ([0, 2, 0], [0, 2, 0], ("0", "1", "2")),
        (numpy.array([0, 1, 1], dtype=numpy.uint8), [0, 1, 1], ("0", "1")),
        (torch.tensor([[1], [0], [1]], dtype=torch.int32), [1, 0, 1], ("0", "1")),
        (numpy.array([True, False, True]), [1, 0, 1], ("0", "1")),
        (["dog", "cat", "dog"], [1, 0, 1], ("cat", "dog")),
        (numpy.array([b"dog", b"cat", b"dog"]), [1, 0, 1], ("cat", "dog")),
        (numpy.array(["b", "a", "b"], dtype=object), [1, 0, 1], ("a", "b")),
        (numpy.array([1, 0, 1], dtype=object), [1, 0, 1], ("0", "1")),
    ],
)
def test_labels_are_indices_or_names(labels, indices, names):
    data = read_arrays((torch.zeros(3, 4, 4), labels))
    assert data.labels.tolist() == indices
    assert data.labels.dtype == torch.int64
    assert data.class_names == names


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"each of 3 images, but got labels of shape \(2,\)"),
        (torch.eye(3), r"shape \(3, 3\). For one-hot labels, pass `labels.argmax\(1\)`"),
        ([0.0, 1.0, 0.0], r"but got float64. Convert them with `labels.astype\(int\)`"),
        ([-1, 1, 1], "from 0 to 1, one for each class, but got -1 to 1"),
        (numpy.array(["a", 1, None], dtype=object), r"\['NoneType', 'int', 'str'\]"),
    ],
)
def test_what_are_no_labels_says_what_is_expected(labels, message):
    with pytest.raises(ValueError, match=message):
        read_arrays((torch.zeros(3, 4, 4), labels))


def test_parts_keep_their_places_and_share_their_classes():
    image = torch.zeros(1, 1, 2, 2)
    data = read_arrays({"train": (image, ["b"]), "test": (image.expand(2, 1, 2, 2), ["a", "c"])})
    assert data.class_names == ("a", "b", "c")
    assert {name: index.tolist() for name, index in data.parts.items()} == {
        "train": [0],
        "test": [1, 2],
    }


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        ({"test": (PIXELS, [0] * 6)}, ValueError, "'train' and optionally"),
        ({"train": (PIXELS, [0] * 6), "dev": (PIXELS, [0] * 6)}, ValueError, "'train', 'dev'"),
        (PIXELS, TypeError, "but got ndarray"),
        ((PIXELS,), TypeError, "but got tuple"),
        ((PIXELS[:0], []), ValueError, "Expected images in the data set, but got none"),
        (
            {"train": (PIXELS, [0] * 6), "test": (PIXELS[..., 0], [0] * 6)},
            ValueError,
            "one shape and type",
        ),
    ],
)
def test_what_is_no_data_set_says_what_is_expected(dataset, error, message):
    with pytest.raises(error, match=message):
        read_arrays(dataset)
