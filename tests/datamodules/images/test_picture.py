import numpy
import pytest
import torch

from torchvitals.datamodules.images.picture import draw_batch


def _pictures(figure):
    return [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("count", [1, 8, 11])
def test_every_image_is_shown_above_its_augmented_self(channels, count):
    before = torch.rand(count, channels, 6, 5)
    after = torch.rand(before.shape)
    figure = draw_batch(before, after, torch.arange(count) % 2, ("cat", "dog"))
    pictures = _pictures(figure)
    assert len(pictures) == 2 * count
    for rows in range(-(-count // 8)):
        width = min(8, count)
        shown = min(width, count - 8 * rows)
        band = pictures[16 * rows :]
        expected = before[8 * rows].permute(1, 2, 0).squeeze(-1).numpy()
        numpy.testing.assert_array_equal(band[0], expected)
        expected = after[8 * rows].permute(1, 2, 0).squeeze(-1).numpy()
        numpy.testing.assert_array_equal(band[shown], expected)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [("cat", "dog")[i % 2] for i in range(count)]


def test_a_mixture_is_named_by_its_shares():
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0]])
    images = torch.rand(2, 3, 4, 4)
    names = ("cat", "dog", "a name that is far too long to be shown")
    figure = draw_batch(images, images, torch.tensor([0, 2]), names, shares=shares)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["cat", "a name that is …", "70% cat\n30% dog", "100% dog"]
