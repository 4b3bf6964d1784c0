import colorsys

import pytest
import torch

from torchvitals.functional.color import adjust_hue, apply_colors, hue_matrices


@pytest.mark.parametrize("shift", [-0.5, -0.2, 0.0, 0.1, 0.5])
def test_hue_equals_the_standard_librarys(shift):
    pixels = torch.rand(
        1, 3, 1, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    expected = []
    for red, green, blue in pixels[0, :, 0].T.tolist():
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        expected.append(colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value))
    shifted = adjust_hue(pixels, torch.tensor([shift], dtype=torch.float64))
    torch.testing.assert_close(shifted[0, :, 0].T, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("turns", [1 / 3, 2 / 3])
def test_a_third_of_a_turn_moves_each_channel_to_the_next(turns):
    pixels = torch.rand(1, 3, 4, 4)
    turned = apply_colors(pixels, hue_matrices(torch.tensor([turns])))
    torch.testing.assert_close(turned, pixels.roll(round(turns * 3), 1))
    gray = torch.full((1, 3, 2, 2), 0.3)
    torch.testing.assert_close(apply_colors(gray, hue_matrices(torch.tensor([0.17]))), gray)
