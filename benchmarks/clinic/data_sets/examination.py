"""An examiner's data: larger digits, a curve turned round, a meter's log, phrases, fruits, sums."""

from functools import cache

import torch
import torch.nn.functional as F

from data_sets.samples import Samples, digit_images, split


@cache
def large_digits() -> Samples:
    """Digits of 16x16 pixels from 0 to 1."""
    data = digit_images()
    x, x_test = (F.interpolate(x, scale_factor=2, mode="bilinear") for x in (data.x, data.x_test))
    return data.with_inputs(x, x_test)


@cache
def turned_curve(scale: float = 1.0, count: int = 3000) -> Samples:
    """Up to three heights for one place: a rising wave with its axes exchanged."""
    generator = torch.Generator().manual_seed(11)
    y = torch.rand(count, generator=generator)
    x = y + 0.3 * (6.283 * y).sin() + 0.05 * torch.randn(count, generator=generator)
    return split(x[:, None], scale * (y - 0.5))


@cache
def meter_log(count: int = 6000) -> Samples:
    """Readings in the order of the log: the level of the meter rises, and with it the relation.

    Every fourth reading is measured on.
    """
    generator = torch.Generator().manual_seed(12)
    level = torch.linspace(-4, 4, count)
    x = torch.randn(count, 6, generator=generator)
    wave = (0.8 * level).sin() * x[:, 0] + (0.8 * level).cos() * x[:, 1]
    y = wave + 0.5 * x[:, 2] * x[:, 3] + 0.1 * torch.randn(count, generator=generator)
    x = torch.cat([x[:, :4] + level[:, None], x[:, 4:], level[:, None]], 1)
    other = torch.arange(count) % 4 == 3
    return Samples(x[~other], y[~other], x[other], y[other])


@cache
def phrases(wrong: float = 0.0, length: int = 24, words: int = 300, count: int = 4000) -> Samples:
    """Word numbers; each of five kinds has twelve pairs of words, of which a text holds three.

    A share of the labels to train on is drawn anew.
    """
    generator = torch.Generator().manual_seed(13)
    pairs = torch.randint(words, (5, 12, 2), generator=generator)
    y = torch.randint(5, (count,), generator=generator)
    x = torch.randint(words, (count, length), generator=generator)
    for place in (1, 9, 17):
        at = place + torch.randint(6, (count,), generator=generator)
        chosen = pairs[y, torch.randint(12, (count,), generator=generator)]
        x[torch.arange(count), at], x[torch.arange(count), at + 1] = chosen.unbind(1)
    data = split(x, y)
    drawn = torch.randint(5, data.y.shape, generator=generator)
    anew = torch.rand(data.y.shape, generator=generator) < wrong
    labels = torch.where(anew, drawn, data.y)
    return data._replace(x=data.x.long(), x_test=data.x_test.long(), y=labels)


@cache
def fruits(count: int = 3000, size: int = 12) -> Samples:
    """Round fruits of any size and light; four stages of ripeness, from green to red."""
    generator = torch.Generator().manual_seed(14)
    y = torch.randint(4, (count,), generator=generator)
    hue = (y + 0.25 * torch.randn(count, generator=generator)) / 3
    line = torch.linspace(-1, 1, size)
    radius = 0.5 + 0.4 * torch.rand(count, 1, 1, generator=generator)
    distance = (line[:, None].square() + line.square()).sqrt()
    disc = torch.sigmoid(12 * (radius - distance))
    light = 0.4 + 0.6 * torch.rand(count, 1, 1, generator=generator)
    red, green = hue.clamp(0, 1)[:, None, None], (1 - hue).clamp(0, 1)[:, None, None]
    grey = 0.299 * red + 0.587 * green
    colours = torch.stack([red * disc, green * disc, 0.2 * disc], 1)
    x = light[:, None] * colours / (grey + 0.2)[:, None]
    return split(x + 0.05 * torch.randn(x.shape, generator=generator), y)


@cache
def marked_sums(length: int = 24, count: int = 4000) -> Samples:
    """Numbers from 0 to 1, two of which are marked; the target is the sum of these."""
    generator = torch.Generator().manual_seed(15)
    x = torch.rand(count, length, 2, generator=generator)
    first = torch.randint(length // 2, (count,), generator=generator)
    second = length // 2 + torch.randint(length // 2, (count,), generator=generator)
    rows = torch.arange(count)
    x[..., 1] = 0.0
    x[rows, first, 1] = x[rows, second, 1] = 1.0
    return split(x, x[rows, first, 0] + x[rows, second, 0])


@cache
def rising_loads(window: int = 32, count: int = 3000) -> Samples:
    """Windows of a load that doubles ten times over the years; the next hour, in order of time.

    The last tenth is measured on, higher than all before.
    """
    generator = torch.Generator().manual_seed(16)
    time = torch.arange(count + window + 1).float()
    level = 2 ** (10 * time / count)
    day = 1 + 0.3 * (6.283 * time / 24).sin() + 0.1 * (6.283 * time / 12).cos()
    load = level * (day + 0.02 * torch.randn(len(time), generator=generator))
    x, y = load.unfold(0, window, 1)[:count], load[window : window + count]
    cut = 9 * count // 10
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])
