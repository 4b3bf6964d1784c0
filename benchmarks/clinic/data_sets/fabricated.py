"""Data made up for programs on sentences, instruments and surfaces."""

import math
from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

NOT, GOOD, BAD, WORDS = 1, 2, 22, 120


@cache
def reviews(count: int = 3000, width: int = 40, wrong: float = 0.0) -> Samples:
    """Words of reviews, padded with 0 in front; "not" turns the next good or bad word around."""
    generator = torch.Generator().manual_seed(71)
    length = torch.randint(6, 19, (count,), generator=generator)
    drawn = torch.rand(count, width, generator=generator)
    kind = 2 * torch.randint(2, (count, 1), generator=generator) - 1
    lean = torch.rand(count, width, generator=generator) < 0.7
    sign = torch.where(lean, kind, -kind)
    turned = (drawn > 0.45) & (drawn < 0.6)
    loaded = (drawn < 0.45) | turned.roll(1, 1)
    turned &= ~loaded
    flip = turned.roll(1, 1)
    loaded = (loaded | flip) & ~turned
    sign = torch.where(loaded, sign, 0)
    polar = torch.where(flip, -sign, sign)
    word = torch.randint(20, (count, width), generator=generator)
    x = torch.randint(42, WORDS, (count, width), generator=generator)
    x = torch.where(polar > 0, GOOD + word, torch.where(polar < 0, BAD + word, x))
    x = torch.where(turned, NOT, x)
    inside = torch.arange(width) >= width - length[:, None]
    x = torch.where(inside, x, 0)
    start = torch.where(inside & ~inside.roll(1, 1) & flip, -1, 1)  # a lost "not" turns nothing
    score = (sign * start * inside).sum(1) + 0.5 * (kind[:, 0])
    y = (score > 0).long()
    y = torch.where(torch.rand(count, generator=generator) < wrong, 1 - y, y)
    data = split(x, y)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def second_order(symbols: int = 50, length: int = 40, count: int = 900) -> tuple[Samples, float]:
    """Series in which the last two symbols say what may follow, and nats per symbol left open."""
    generator = torch.Generator().manual_seed(72)
    a = torch.randn(symbols, symbols, generator=generator)
    b = torch.randn(symbols, symbols, generator=generator)
    logits = 2.2 * (a[:, None, :] + b[None, :, :])
    chance = logits.softmax(-1)
    rows = torch.randint(symbols, (count, 2), generator=generator)
    left = []
    for _ in range(length - 1):
        now = chance[rows[:, -2], rows[:, -1]]
        left.append(-(now * now.log()).sum(1))
        rows = torch.cat([rows, torch.multinomial(now, 1, generator=generator)], 1)
    data = split(rows[:, :-1], rows[:, 1:])
    data = data.with_inputs(data.x.long(), data.x_test.long())
    return data, torch.stack(left, 1).mean().item()


@cache
def pulses(
    shares: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25), count: int = 1600, noise: float = 0.35
) -> Samples:
    """One channel of 64 samples; a class is the shape of the pulse that comes somewhere."""
    generator = torch.Generator().manual_seed(73)
    y = torch.multinomial(torch.tensor(shares), count, replacement=True, generator=generator)
    time = torch.arange(64.0)
    center = 16 + 32 * torch.rand(count, 1, generator=generator)
    height = 0.8 + 0.5 * torch.rand(count, 1, generator=generator)
    z = (time - center) / 3
    bell = torch.exp(-0.5 * z.square())
    shapes = torch.stack([bell, -z * bell, (1 - z.square()) * bell, bell * torch.cos(3 * z)], 1)
    x = height * 1.5 * shapes[torch.arange(count), y]
    x = x + noise * torch.randn(count, 64, generator=generator)
    return split(x[:, None], y)


@cache
def wells(count: int = 1500) -> Samples:
    """Depth in feet, a year, pressure in pascals, porosity, a permeability, water cut: the flow."""
    generator = torch.Generator().manual_seed(74)
    u = torch.rand(count, 6, generator=generator)
    flow = torch.sin(math.pi * u[:, 3]) * (1 + u[:, 4]) + 2 * u[:, 2] * (1 - u[:, 5]) - u[:, 0]
    flow = flow + (u[:, 1] - 0.5).square() * 3
    y = (flow - flow.mean()) / flow.std() + 0.15 * torch.randn(count, generator=generator)
    low = torch.tensor([2000.0, 1970.0, 2e6, 0.05, 1e-14, 0.0])
    high = torch.tensor([14000.0, 2020.0, 6e7, 0.35, 1e-12, 1.0])
    return split(low + (high - low) * u, y)


@cache
def spirals(count: int = 1500, turns: float = 1.25, noise: float = 0.03) -> Samples:
    """Two arms that wind about one another."""
    generator = torch.Generator().manual_seed(75)
    y = torch.randint(2, (count,), generator=generator)
    r = torch.rand(count, generator=generator).sqrt()
    angle = 2 * math.pi * turns * r + math.pi * y
    x = torch.stack([r * angle.cos(), r * angle.sin()], 1)
    x = x + noise * torch.randn(count, 2, generator=generator)
    return split(2 * x, y)


@cache
def checks(count: int = 1400, noise: float = 0.4) -> Samples:
    """Pictures of 10x10 with stripes across, along, both or none; their sign is drawn."""
    generator = torch.Generator().manual_seed(76)
    y = torch.randint(4, (count,), generator=generator)
    sign = 2.0 * torch.randint(2, (2, count, 1, 1), generator=generator) - 1
    wave = 1 - 2 * (torch.arange(10) % 2).float()
    across, along = sign[0] * wave[:, None], sign[1] * wave
    x = across * (y % 2)[:, None, None] + along * (y // 2)[:, None, None]
    x = x + noise * torch.randn(count, 10, 10, generator=generator)
    return split(x[:, None], y)


@cache
def spectra(count: int = 400, bands: int = 200, noise: float = 0.6) -> Samples:
    """Smooth spectra, standardised, and the protein that two of their lines say."""
    generator = torch.Generator().manual_seed(77)
    hidden = torch.randn(count, 12, generator=generator)
    place = torch.linspace(0, 1, bands)
    lines = torch.exp(-0.5 * ((place - torch.linspace(0.05, 0.95, 12)[:, None]) / 0.05).square())
    x = hidden @ lines + 0.3 * torch.randn(count, bands, generator=generator)
    y = hidden[:, 3] - 0.7 * hidden[:, 8] + 0.4 * hidden[:, 3] * hidden[:, 8]
    y = y / y.std() + noise * torch.randn(count, generator=generator)
    return split(x, y)


def rows_of(data: Samples, rows: Tensor) -> Samples:
    """The chosen ones of the samples to train on."""
    return data._replace(x=data.x[rows], y=data.y[rows])
