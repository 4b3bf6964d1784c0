"""The data of a harbour: hands that wave, bearings that wear, tides, concrete, and orders."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split, standardized


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def gestures(count: int = 1000, length: int = 32, noise: float = 0.15) -> Samples:
    """Paths of a hand, turned and stretched at random; each is of one of six shapes."""
    g = source(61)
    y = torch.randint(6, (count,), generator=g)
    t = torch.linspace(0, 2 * torch.pi, length)
    saw = 2 * (t / t[-1]) - 1
    shapes = torch.stack(
        [
            torch.stack([t.cos(), t.sin()], -1),
            torch.stack([t.cos(), -t.sin()], -1),
            torch.stack([t.sin(), (2 * t).sin()], -1),
            torch.stack([saw, (4 * t).sin().sign() * 0.5], -1),
            torch.stack([saw, 0.0 * t], -1),
            torch.stack([(2 * t).cos(), (2 * t).sin()], -1) * (t / t[-1])[:, None],
        ]
    )
    angle = 0.6 * torch.randn(count, generator=g)
    size = 0.7 + 0.6 * torch.rand(count, 1, 1, generator=g)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    x = size * shapes[y] @ turn + noise * torch.randn(count, length, 2, generator=g)
    return split(x, y)


@cache
def worn_bearings(count: int = 1200, length: int = 40) -> Samples:
    """Counts of an accelerometer and kelvins; the target is the hours that a bearing has left."""
    g = source(62)
    wear = torch.rand(count, 1, generator=g)
    t = torch.arange(length) / length
    turns = 6.3 * (3 + 2 * torch.rand(count, 1, generator=g)) * t
    knocks = torch.sin(turns + 6.3 * torch.rand(count, 1, generator=g)) * (0.4 + wear * t)
    knocks = knocks + 0.2 * torch.randn(count, length, generator=g)
    load = 4 * torch.randn(count, 1, generator=g)
    warmth = 310 + load + 25 * wear * t + 2 * torch.randn(count, length, generator=g)
    hours = 120 * (1 - wear[:, 0]) ** 1.5 + 5 * torch.randn(count, generator=g)
    return split(torch.stack([2048 + 400 * knocks, warmth], -1), hours)


@cache
def bearings() -> Samples:
    """The same, each channel standardised, and hundreds of hours."""
    raw = worn_bearings()
    mean, deviation = raw.x.mean((0, 1)), raw.x.std((0, 1))
    return Samples(
        (raw.x - mean) / deviation, raw.y / 100, (raw.x_test - mean) / deviation, raw.y_test / 100
    )


@cache
def orders(count: int = 2000, length: int = 16, words: int = 30) -> Samples:
    """Texts in which word 1 and word 2 both stand; the label is whether word 1 comes first."""
    g = source(63)
    x = torch.randint(3, words, (count, length), generator=g)
    places = torch.rand(count, length, generator=g).argsort(1)[:, :2]
    rows = torch.arange(count)
    x[rows, places[:, 0]], x[rows, places[:, 1]] = 1, 2
    samples = split(x, (places[:, 0] < places[:, 1]).long())
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def raw_concrete(count: int = 1500, noise: float = 3.0) -> Samples:
    """Kilograms per cubic metre and days; the target is a strength in megapascals."""
    g = source(64)
    low = torch.tensor([150.0, 0, 0, 140, 0, 800, 600, 1])
    high = torch.tensor([500.0, 300, 150, 220, 20, 1100, 900, 365])
    share = torch.rand(count, 8, generator=g)
    share[:, 7] = share[:, 7] ** 3
    x = low + share * (high - low)
    binder = x[:, 0] + 0.6 * x[:, 1] + 0.4 * x[:, 2]
    strength = 22 * (binder / x[:, 3]) * (0.4 + 0.6 * (1 - torch.exp(-x[:, 7] / 40)))
    strength = strength + 8 * torch.tanh((x[:, 4] - 8) / 4) - 8 * share[:, 5] * share[:, 6]
    return split(x, strength + noise * torch.randn(count, generator=g))


@cache
def concrete(noise: float = 3.0) -> Samples:
    """The same, each column standardised."""
    return standardized(raw_concrete(noise=noise))


@cache
def levels(hours: int = 2400) -> Tensor:
    """A harbour's level by the hour: two moons, the day, and weather that lasts."""
    g = source(65)
    t = torch.arange(float(hours))
    weather, last = torch.zeros(hours), 0.0
    for hour, gust in enumerate(torch.randn(hours, generator=g).tolist()):
        last = 0.95 * last + 0.1 * gust
        weather[hour] = last
    tide = torch.sin(t * 6.2832 / 12.42) + 0.4 * torch.sin(t * 6.2832 / 12.0)
    return tide + 0.3 * torch.sin(t * 6.2832 / 24) + weather


@cache
def tides(past: int = 36, ahead: int = 8) -> Samples:
    """Windows of hours, and the hours that follow; those to measure on come later."""
    windows = levels().unfold(0, past + ahead, 1)
    x, y = windows[:, :past], windows[:, past:]
    return Samples(x[:1700], y[:1700], x[1750:], y[1750:])
