import numpy
import pytest
import torch
import torchvision
from helpers.images import FASHION_MNIST, write_idx, write_mnist

from torchvitals.datamodules.image_sets.idx import read_idx
from torchvitals.datamodules.image_sets.reading import read_images


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("shape", [(5,), (4, 3, 2), (0, 28, 28)])
def test_what_was_written_is_read(tmp_path, compress, shape):
    values = numpy.random.default_rng(0).integers(0, 256, shape)
    read = read_idx(write_idx(tmp_path / "file", values, compress=compress), len(shape))
    assert read.dtype == torch.uint8
    assert numpy.array_equal(read.numpy(), values)


def _short(content):
    return content[:-1]


def _long(content):
    return content + b"\0"


def _header(content):
    return content[:9]


def _other(content):
    return b"\x89PNG" + content[4:]


def _nothing(content):
    return b""


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_short, "truncated|bytes follow its header of 3x2x2, not 12|ended before|CRC"),
        (_long, "13 bytes follow its header of 3x2x2, not 12|Not a gzipped"),
        (_header, "header ends after 9 of 16 bytes|ended before"),
        (_other, "starts with 00000803, but it starts with 89504e47"),
        (_nothing, "starts with 00000803, but it starts with"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, damage, message, compress):
    path = write_idx(tmp_path / "images", numpy.zeros((3, 2, 2)), compress=compress)
    path.write_bytes(damage(path.read_bytes()))
    if compress and damage is _long:
        return  # padding with zeros after a gzip member is allowed by its format
    with pytest.raises(ValueError, match=message) as failure:
        read_idx(path, 3)
    assert str(path) in str(failure.value)
    assert str(failure.value).endswith(("download it again.", "Put the right file there."))


def test_labels_are_no_images(tmp_path):
    path = write_idx(tmp_path / "labels", numpy.zeros(3))
    with pytest.raises(ValueError, match="3 dimensions, which starts with 00000803"):
        read_idx(path, 3)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("folder", [".", "MNIST/raw"])
def test_files_are_found_in_the_folder_and_in_torchvisions_layout(tmp_path, folder, compress):
    write_mnist(tmp_path / folder, compress=compress)
    data = read_images("mnist", tmp_path)
    assert data.images.shape == (1, 28, 28)
    assert {name: len(index) for name, index in data.parts.items()} == {"train": 40, "test": 20}
    assert data.class_names == tuple(torchvision.datasets.MNIST.classes)
    if folder == "MNIST/raw" and not compress:
        for train, part in ((True, "train"), (False, "test")):
            theirs = torchvision.datasets.MNIST(tmp_path, train=train)
            assert torch.equal(data.images.take(data.parts[part])[:, 0], theirs.data)
            assert torch.equal(data.labels[data.parts[part]], theirs.targets)


def test_files_that_do_not_belong_together_are_named(tmp_path):
    write_mnist(tmp_path)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", numpy.zeros(19))
    with pytest.raises(ValueError, match=r"t10k-images.* 20 images .*t10k-labels.* 19 labels"):
        read_images("mnist", tmp_path)


def test_one_missing_file_is_a_missing_data_set(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte.gz into .*MNIST/raw or"):
        read_images("mnist", tmp_path)


@pytest.mark.skipif(
    not FASHION_MNIST.is_dir(), reason="needs the Debian package dataset-fashion-mnist"
)
@pytest.mark.parametrize("data_dir", [FASHION_MNIST, "nowhere"])
def test_fashion_mnist_of_debians_package_is_read(data_dir, tmp_path):
    data = read_images("fashion_mnist", tmp_path / data_dir)
    assert {name: len(index) for name, index in data.parts.items()} == {
        "train": 60_000,
        "test": 10_000,
    }
    assert data.class_names[9] == "Ankle boot"
    assert data.labels.bincount().tolist() == [7_000] * 10
