"""What a museum knows: paintings, its visitors, their words, and what the works are made of."""

import math
from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def paintings(count: int = 1800, size: int = 16, noise: float = 0.35) -> Samples:
    """Grey patterns of six schools: four directions of stripes, checks and rings."""
    generator = torch.Generator().manual_seed(count)
    y = torch.randint(6, (count,), generator=generator)
    axis = torch.linspace(0, 1, size)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    wave = 2 * math.pi * (2.5 + 1.5 * torch.rand(count, 1, 1, generator=generator))
    phase = 2 * math.pi * torch.rand(count, 2, 1, 1, generator=generator)
    centre = 0.3 + 0.4 * torch.rand(count, 2, 1, 1, generator=generator)
    radius = ((u - centre[:, 0]) ** 2 + (v - centre[:, 1]) ** 2).sqrt()
    first, second = phase[:, 0], phase[:, 1]
    kinds = torch.stack([
        torch.sin(wave * u + first), torch.sin(wave * v + first),
        torch.sin(wave * (u + v) * 0.7 + first), torch.sin(wave * (u - v) * 0.7 + first),
        torch.sin(wave * u + first) * torch.sin(wave * v + second), torch.sin(wave * radius),
    ])  # fmt: skip
    x = kinds[y, torch.arange(count)]
    x = x + noise * torch.randn(count, size, size, generator=generator)
    return split(x[:, None], y)


@cache
def turnstiles(length: int = 56, count: int = 2000) -> Samples:
    """Visitors of each day, standardized: the week, the year, and weather that lasts; the next."""
    generator = torch.Generator().manual_seed(length)
    days = torch.arange(count + length + 1)
    week = torch.tensor([-1.2, -0.6, -0.4, -0.3, 0.1, 1.3, 1.1])[days % 7]
    year = 0.8 * torch.sin(2 * math.pi * days / 365)
    shocks = 0.3 * torch.randn(len(days), generator=generator)
    weather = torch.zeros(len(days))
    for day in range(1, len(days)):
        weather[day] = 0.7 * weather[day - 1] + shocks[day]
    series = week + year + weather
    series = (series - series.mean()) / series.std()
    windows = series.unfold(0, length + 1, 1)
    return split(windows[:, :-1, None], windows[:, -1])


@cache
def guestbook(length: int = 20, words: int = 200, count: int = 2500) -> Samples:
    """Entries by word numbers; a quarter of the words is of the hall that they speak of."""
    generator = torch.Generator().manual_seed(words)
    y = torch.randint(5, (count,), generator=generator)
    x = torch.randint(words, (count, length), generator=generator)
    own = 16 * y[:, None] + torch.randint(16, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.25, own, x)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def attributions(apart: float, count: int = 6000, features: int = 16) -> Samples:
    """Measurements of works: by the master (92 of 100), the workshop (5) or a forger (3)."""
    generator = torch.Generator().manual_seed(features)
    y = torch.multinomial(torch.tensor([0.92, 0.05, 0.03]), count, True, generator=generator)
    centres = torch.zeros(3, features)
    centres[1, :4], centres[2, 4:8] = apart / 2, apart / 2
    x = centres[y] + torch.randn(count, features, generator=generator)
    return split(x, y, train=0.5)


@cache
def bids(count: int = 3000, chance: float = 2.5) -> Samples:
    """What lots bring above their estimate: little of it can be known before the sale."""
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, 8, generator=generator)
    known = 0.7 * x[:, 0] + 0.5 * torch.tanh(x[:, 1]) + 0.5 * x[:, 2].abs() - 0.4 * x[:, 3]
    y = known + chance * torch.randn(count, generator=generator)
    return split(x, (y - y.mean()) / y.std())


@cache
def pigments(count: int = 700, features: int = 40) -> Samples:
    """Few spectra of paint, each some of four workshops' recipes and much else."""
    generator = torch.Generator().manual_seed(features)
    recipes = torch.randn(4, features, generator=generator)
    y = torch.randint(4, (count,), generator=generator)
    x = 0.5 * recipes[y] + torch.randn(count, features, generator=generator)
    return split(x, y)


@cache
def galleries(count: int = 3000) -> Samples:
    """Humidity at places of a floor, in -1..1 each."""
    generator = torch.Generator().manual_seed(count)
    x = 2 * torch.rand(count, 2, generator=generator) - 1
    u, v = x.unbind(1)
    y = torch.sin(5 * u) * torch.cos(4 * v) + 0.5 * torch.sin(7 * u * v) + 0.5 * v
    return split(x, y + 0.1 * torch.randn(count, generator=generator))


def frequencies(count: int, scale: float) -> Tensor:
    return scale * torch.randn(2, count)
