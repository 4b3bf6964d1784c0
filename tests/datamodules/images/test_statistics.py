import numpy
import pytest
import torch
from helpers.images import write_images

from torchvitals.datamodules.image_sets.folders import read_folder
from torchvitals.datamodules.image_sets.stored_images import StoredImages
from torchvitals.datamodules.images.statistics import measure_channels


def _measured(images, index=None, files=10):
    index = torch.arange(len(images)) if index is None else index
    return measure_channels(images, index, files=files, seed=0)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32])
def test_statistics_are_numpys_over_the_index_alone(channels, dtype):
    draw = torch.Generator().manual_seed(0)
    pixels = torch.rand(300, channels, 20, 9, generator=draw)
    pixels = (pixels * 255).round().to(dtype) if dtype == torch.uint8 else pixels.to(dtype)
    index = torch.arange(0, 300, 2)
    scaled = pixels[index].double().numpy() / (255 if dtype == torch.uint8 else 1)
    pixels[1::2] = 0
    mean, deviation = _measured(StoredImages(pixels), index)
    assert mean.shape == deviation.shape == (1, channels, 1, 1)
    numpy.testing.assert_allclose(mean.flatten(), scaled.mean((0, 2, 3)), rtol=1e-7)
    numpy.testing.assert_allclose(deviation.flatten(), scaled.std((0, 2, 3)), rtol=1e-7)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_constant_channel_has_deviation_1(value, dtype):
    pixels = torch.full((50, 2, 9, 9), value, dtype=dtype)
    pixels[:25, 1] = 0.5 - value / 2
    mean, deviation = _measured(StoredImages(pixels))
    assert deviation.flatten()[0] == 1
    assert 0.05 < deviation.flatten()[1] < 0.6
    assert ((pixels.float() - mean) / deviation)[:, 0].abs().max() < 1e-3


def test_one_grey_level_of_one_pixel_is_not_constant():
    pixels = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    pixels[0, 0, 0, 0] = 1
    assert _measured(StoredImages(pixels))[1].item() == pytest.approx(1 / 255 / 64, rel=1e-3)


def test_of_files_a_seeded_share_is_decoded(tmp_path):
    write_images(tmp_path, {"a": 30, "b": 30})
    images = read_folder(tmp_path).images
    pixels = images.take(torch.arange(60)).double() / 255
    whole = _measured(images, files=60)
    torch.testing.assert_close(whole[0].flatten(), pixels.mean((0, 2, 3)).float())
    part, again = _measured(images, files=5), _measured(images, files=5)
    assert torch.equal(part[0], again[0])
    assert not torch.equal(part[0], whole[0])
