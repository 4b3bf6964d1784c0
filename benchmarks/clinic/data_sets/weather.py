"""What a weather service has: pictures of clouds, hours of pressure, days and their causes."""

import math
from functools import cache

import torch

from data_sets.samples import Samples, split, standardized


@cache
def skies(count: int = 1500, size: int = 16, noise: float = 0.6) -> Samples:
    """Grey pictures of five kinds of clouds: noise, smooth in another way for each kind."""
    generator = torch.Generator().manual_seed(count + size)
    y = torch.randint(5, (count,), generator=generator)
    v, u = torch.fft.fftfreq(size)[:, None], torch.fft.fftfreq(size)[None]
    radius = (u**2 + v**2).sqrt()
    filters = torch.stack([
        torch.exp(-((radius / 0.06) ** 2)), torch.exp(-(((radius - 0.22) / 0.06) ** 2)),
        torch.exp(-((u / 0.05) ** 2) - (v / 0.3) ** 2),
        torch.exp(-((v / 0.05) ** 2) - (u / 0.3) ** 2),
        torch.exp(-(((radius - 0.42) / 0.08) ** 2)),
    ])  # fmt: skip
    white = torch.randn(count, size, size, generator=generator)
    x = torch.fft.ifft2(torch.fft.fft2(white) * filters[y]).real
    x = x / x.std((1, 2), keepdim=True)
    x = x + noise * torch.randn(count, size, size, generator=generator)
    return split(x[:, None], y)


@cache
def days(count: int = 4000, patterns: int = 40, features: int = 32, active: int = 3) -> Samples:
    """Readings of one day, the sum of three of forty patterns; the targets are the readings."""
    generator = torch.Generator().manual_seed(patterns)
    book = torch.randn(patterns, features, generator=generator)
    book = book / book.norm(dim=1, keepdim=True)
    chosen = torch.rand(count, patterns, generator=generator).argsort(1)[:, :active]
    weight = 1 + torch.rand(count, active, generator=generator)
    x = (book[chosen] * weight[..., None]).sum(1)
    x = x + 0.02 * torch.randn(count, features, generator=generator)
    x = x / x.std()
    found = split(x, x)
    return found._replace(y=found.x, y_test=found.x_test)


@cache
def cover(count: int = 2000) -> Samples:
    """Ten readings, and how many eighths of the sky are covered."""
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, 10, generator=generator)
    inner = 1.2 * x[:, 0] - x[:, 1] * x[:, 2] + 0.8 * torch.tanh(2 * x[:, 3]) + 0.6 * x[:, 4]
    share = torch.sigmoid(1.3 * inner + 0.3 * torch.randn(count, generator=generator))
    return standardized(split(x, (8 * share).round()))


@cache
def fronts(depth: float, count: int = 4000, length: int = 48) -> Samples:
    """Hours of pressure: nothing (94 of 100), a cold front (4), or a squall (2) passes."""
    generator = torch.Generator().manual_seed(length)
    y = torch.multinomial(torch.tensor([0.94, 0.04, 0.02]), count, True, generator=generator)
    hours = torch.arange(length)
    at = torch.randint(12, length - 12, (count, 1), generator=generator)
    phase = 2 * math.pi * torch.rand(count, 1, generator=generator)
    tide = 0.4 * torch.sin(2 * math.pi * hours / 12 + phase)
    dip = -torch.exp(-(((hours - at) / 4.0) ** 2))
    jump = torch.where(hours < at, 0.0, torch.exp(-(hours - at) / 3.0))
    signal = torch.stack([torch.zeros_like(dip), dip, jump])[y, torch.arange(count)]
    x = tide + depth * signal + 0.6 * torch.randn(count, length, generator=generator)
    return split(x[:, None], y, train=0.5)
