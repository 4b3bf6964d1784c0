"""The data of a fourth examiner: loans, bearings, rare events, plants, genes, tides and words."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def loans(count: int = 3000) -> Samples:
    """Income, savings, age, share of debt, late payments, years employed; is it paid back?"""
    chance = torch.Generator().manual_seed(41)
    normal = torch.randn(count, 3, generator=chance)
    uniform = torch.rand(count, 3, generator=chance)
    income = 42_000 * (0.4 * normal[:, 0]).exp()
    savings = 9_000 * (0.8 * normal[:, 1]).exp()
    age = 20 + 50 * uniform[:, 0]
    debt = uniform[:, 1]
    late = torch.poisson(torch.full((count,), 1.2), generator=chance)
    employed = 12 * uniform[:, 2]
    risk = 4 * (debt - 0.5) + 0.9 * (late - 1.2) - 0.25 * (employed - 6)
    risk = risk + 2 * torch.sin((age - 20) / 8) + 0.4 * normal[:, 2]
    return split(torch.stack([income, savings, age, debt, late, employed], 1), (risk > 0).long())


def bearing(kind: Tensor, chance: torch.Generator, noise: float) -> Tensor:
    """A vibration of 64 steps: intact, with knocks, with an overtone, or swelling."""
    count, time = len(kind), torch.arange(64) / 64
    phase = 6.28 * torch.rand(count, 1, generator=chance)
    tone = torch.sin(6.28 * 5 * time + phase)
    knocks = (torch.sin(6.28 * 8 * time + 2 * phase) > 0.9).float()
    overtone = torch.sin(6.28 * 14 * time + 3 * phase)
    swelling = torch.sin(6.28 * 2 * time + phase)
    extra = torch.stack([torch.zeros_like(tone), 1.4 * knocks, 0.8 * overtone, swelling * tone])
    found = tone + extra[kind, torch.arange(count)]
    return (found + noise * torch.randn(count, 64, generator=chance))[:, None]


@cache
def bearings(
    shares: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25), count: int = 2400, noise: float = 0.5
) -> Samples:
    """Vibrations of four kinds to train on, and as many of each to measure on."""
    chance = torch.Generator().manual_seed(42)
    weights = torch.tensor(shares)
    kind = torch.multinomial(weights, count, replacement=True, generator=chance)
    test = torch.arange(800) % 4
    return Samples(bearing(kind, chance, noise), kind, bearing(test, chance, noise), test)


@cache
def events(share: float, count: int = 5000, apart: float = 1.0) -> Samples:
    """Twelve measurements; the rare events lie on a shell around part of the others."""
    chance = torch.Generator().manual_seed(43)
    y = (torch.rand(count, generator=chance) < share).long()
    x = torch.randn(count, 12, generator=chance)
    side = torch.where(torch.rand(count, generator=chance) < 0.5, 1.0, -1.0)
    x[:, 0] += apart * side * y
    x[:, 1:4] += 0.6 * apart * y[:, None]
    return split(x, y)


@cache
def plant(count: int = 3000) -> Samples:
    """Eight sensors in the order of the days, whose levels creep up; the yield of each batch."""
    chance = torch.Generator().manual_seed(44)
    day = torch.arange(count) / count
    x = torch.randn(count, 8, generator=chance)
    x[:, :4] = 0.6 * x[:, :4] + 5 * (day[:, None] - 0.5)
    y = torch.sin(1.5 * x[:, 0]) + 0.6 * x[:, 1].cos() * x[:, 4] + 0.4 * (x[:, 5] - day)
    y = y + 0.1 * torch.randn(count, generator=chance)
    test = torch.arange(count) % 4 == 0
    return Samples(x[~test], y[~test], x[test], y[test])


@cache
def genes(patients: int = 400, count: int = 60) -> Samples:
    """Four of many genes tell the illness, and every twelfth diagnosis is wrong."""
    chance = torch.Generator().manual_seed(45)
    x = torch.randn(patients + 1000, count, generator=chance)
    y = (x[:, :4].sum(1) > 0).long()
    wrong = torch.rand(len(y), generator=chance) < 0.08
    y = torch.where(wrong, 1 - y, y)
    return Samples(x[:patients], y[:patients], x[patients:], y[patients:])


@cache
def tides(length: int = 20, count: int = 1500) -> Samples:
    """Two gauges over some hours; the level three hours later."""
    chance = torch.Generator().manual_seed(46)
    start = 100 * torch.rand(count, 1, generator=chance)
    time = start + torch.arange(length + 3)
    level = torch.sin(time / 2) + 0.5 * torch.sin(time / 3.1 + 1) * torch.sin(time / 17)
    wind = torch.randn(count, length, generator=chance)
    noisy = level[:, :length] + 0.1 * torch.randn(count, length, generator=chance)
    return split(torch.stack([noisy, wind], -1), level[:, -1] + 0.15 * wind[:, -3:].sum(1))


@cache
def marked(length: int = 12, count: int = 2400) -> Samples:
    """One step of each sequence is marked, and only what is measured there tells the kind."""
    chance = torch.Generator().manual_seed(47)
    values = torch.randn(count, length, 4, generator=chance)
    at = torch.randint(length, (count,), generator=chance)
    flag = torch.zeros(count, length, 1)
    flag[torch.arange(count), at] = 1.0
    kind = values[torch.arange(count), at].argmax(-1)
    return split(torch.cat([values, flag], -1), kind)


@cache
def orders(length: int = 14, words: int = 40, count: int = 2400) -> Samples:
    """Word numbers; which of the words 1, 2 and 3 comes first?"""
    chance = torch.Generator().manual_seed(48)
    x = torch.randint(4, words, (count, length), generator=chance)
    places = torch.rand(count, length, generator=chance).argsort(1)[:, :3]
    x.scatter_(1, places, torch.tensor([1, 2, 3]).expand(count, 3))
    samples = split(x, places.argmin(1))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())
