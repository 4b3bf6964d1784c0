"""What is seen, heard, weighed and written at beehives, made up."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .samples import Samples, split

WORDS = 150


@cache
def pollen(count: int = 1700, size: int = 20) -> Samples:
    """Grains in grey, standardized: smooth, triangular, lobed, spiny, long, hollow."""
    draw = torch.Generator().manual_seed(71)

    def rand(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=draw)

    y = torch.randint(6, (count,), generator=draw)
    axis = torch.linspace(-1, 1, size)
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    down, across = down - rand(-0.15, 0.15), across - rand(-0.15, 0.15)
    reach, angle = (down.square() + across.square()).sqrt(), torch.atan2(down, across)
    lobes = torch.tensor([0, 3, 4, 12, 2, 0])[y, None, None]
    depth = torch.tensor([0.0, 0.22, 0.22, 0.2, 0.35, 0.0])[y, None, None]
    edge = rand(0.55, 0.7) * (1 + depth * (lobes * (angle - rand(0, 6.28))).cos())
    grain = ((edge - reach) / 0.08).sigmoid()
    hole = ((0.45 * edge - reach) / 0.08).sigmoid() * (y == 5)[:, None, None]
    x = rand(0.05, 0.3) + rand(0.35, 0.65) * (grain - 0.8 * hole)
    x = x + 0.06 * torch.randn(count, size, size, generator=draw)
    return split((x.clamp(0, 1)[:, None] - 0.35) / 0.25, y)


@cache
def hums(count: int = 1800, bands: int = 48) -> Samples:
    """Spectra in decibels below the loudest: queen present, absent, piping, or bees that fan."""
    draw = torch.Generator().manual_seed(72)
    y = torch.randint(4, (count,), generator=draw)
    band = torch.arange(bands).float()
    pitch = torch.tensor([12.0, 14.5, 19.0, 9.0])[y] + torch.randn(count, generator=draw)
    width = torch.tensor([1.5, 4.0, 1.5, 2.0])[y, None]
    x = -45 - 0.6 * band.expand(count, -1)
    for harmonic, height in ((1, 24.0), (2, 14.0)):
        away = (band - harmonic * pitch[:, None]) / width
        x = x + height * (-0.5 * away.square()).exp()
    x = x + 4 * torch.randn(count, 1, generator=draw)
    return split(x + 5 * torch.randn(count, bands, generator=draw), y)


@cache
def honeys(count: int = 1000, channels: int = 60) -> Samples:
    """Near-infrared spectra of honeys, and their water in percent, about 17.5."""
    draw = torch.Generator().manual_seed(73)
    parts = torch.randn(count, 4, generator=draw)
    place = torch.linspace(0, 1, channels)
    centre = torch.tensor([0.35, 0.3, 0.55, 0.75])[:, None]
    wide = torch.tensor([0.06, 0.12, 0.1, 0.15])[:, None]
    bands = (-0.5 * ((place - centre) / wide).square()).exp()
    x = 0.6 + 0.4 * place + (1 + 0.2 * parts) @ bands * 0.3
    x = x * (1 + 0.05 * torch.randn(count, 1, generator=draw))
    x = x + 0.004 * torch.randn(count, channels, generator=draw)
    return split(x, 17.5 + 1.2 * parts[:, 0])


@cache
def colonies(count: int = 2000) -> Samples:
    """Fourteen findings of autumn, standardized, half of them idle; who lives through winter?"""
    draw = torch.Generator().manual_seed(74)
    x = torch.randn(count, 14, generator=draw)
    logit = 1.6 * x[:, 0] - 1.3 * x[:, 1] + x[:, 2] + 0.8 * x[:, 3] - 0.7 * x[:, 4]
    alive = torch.rand(count, generator=draw) < logit.sigmoid()
    return split(x, alive.float())


@cache
def dances(count: int = 1600, steps: int = 40) -> Samples:
    """Steps of a dancer, to one of six sides while she waggles, and silently back again."""
    draw = torch.Generator().manual_seed(75)
    y = torch.randint(6, (count,), generator=draw)
    angle = 1.047 * y[:, None] + 0.2 * torch.randn(count, 1, generator=draw)
    start = torch.randint(steps, (count, 1), generator=draw)
    time = (torch.arange(steps) + start) % steps
    runs = (time < steps // 2).float()
    aside = 1.5 * runs * (2.4 * time + 6.28 * torch.rand(count, 1, generator=draw)).sin()
    ahead = 2 * runs - 1
    x = torch.stack(
        [ahead * angle.cos() - aside * angle.sin(), ahead * angle.sin() + aside * angle.cos()], 1
    )
    return split(x + 0.4 * torch.randn(x.shape, generator=draw), y)


@cache
def weights(days: int = 1500) -> Samples:
    """Three days of a hive on a scale, in kilograms since the first hour, and what it gains next.

    Days to train on are in their order; more is carried in at the height of each season.
    """
    draw = torch.Generator().manual_seed(76)
    flow = 0.4 + 0.8 * (torch.arange(days + 4) * 6.28 / 250).sin().square()
    noise = torch.randn(days + 4, generator=draw)
    gains = [noise[0]]
    for today in noise[1:]:
        gains.append(0.85 * gains[-1] + 0.5 * today)
    gain = flow * torch.stack(gains)
    hours = torch.arange(24)
    day = ((hours - 14) / 2.0).sigmoid()
    out = -0.3 * (-0.5 * ((hours - 11) / 2.5).square()).exp()
    course = gain.cumsum(0)[:, None] - gain[:, None] + gain[:, None] * day + out
    course = course.flatten() + 0.03 * torch.randn(24 * (days + 4), generator=draw)
    windows = course.unfold(0, 72, 24)[:days]
    x, y = windows - windows[:, :1], gain[3 : days + 3]
    held = torch.rand(days, generator=draw) < 0.3
    return Samples(x[~held, :, None], y[~held], x[held, :, None], y[held])


@cache
def notes(count: int = 1800, length: int = 24) -> Samples:
    """Counts of 150 words in keepers' notes of five topics, most of them words of every topic."""
    draw = torch.Generator().manual_seed(77)
    y = torch.randint(5, (count,), generator=draw)
    words = torch.randint(60, WORDS, (count, length), generator=draw)
    own = 12 * y[:, None] + torch.randint(12, (count, length), generator=draw)
    words = torch.where(torch.rand(count, length, generator=draw) < 0.2, own, words)
    return split(F.one_hot(words, WORDS).sum(1), y)
