"""Data of potters: outlines of vessels, firings, recipes of glazes, cracks; and digits to scan."""

import math
from functools import cache

import torch
from sklearn.datasets import load_digits

from data_sets.samples import Samples, digits, scaled_targets, split

KINDS = 5


@cache
def outlines(count: int = 1500, argued: float = 0.0, noise: float = 0.5) -> Samples:
    """Noisy 16x16 outlines of bowls, jars, bottles, cups and jugs.

    Args:
        count: Vessels to train on; there are 700 others, whose labels are all right.
        argued: Share of those to train on whose label is drawn by chance.
        noise: Deviation of what is added to the pixels.
    """
    generator = torch.Generator().manual_seed(71)
    total = count + 700
    h = torch.linspace(0, 1, 16)
    kinds = torch.stack([
        1 + 6 * (1 - h).sqrt(), 3 + 3 * torch.sin(math.pi * h), torch.where(h < 0.4, 1.5, 5.0),
        torch.full((16,), 4.5), 2.5 + 4 * h,
    ])  # fmt: skip
    y = torch.randint(KINDS, (total,), generator=generator)
    size = 0.75 + 0.4 * torch.rand(total, 1, 1, generator=generator)
    shift = 3 * torch.rand(total, 1, 1, generator=generator) - 1.5
    columns = torch.arange(16.0) - 7.5
    inside = ((columns - shift).abs() < size * kinds[y][:, :, None]).float()
    x = inside - 0.5 + noise * torch.randn(total, 16, 16, generator=generator)
    x, y_train = x[:, None], y[:count]
    drawn = torch.randint(KINDS, (count,), generator=generator)
    y_train = torch.where(torch.rand(count, generator=generator) < argued, drawn, y_train)
    return Samples(x[:count], y_train, x[count:], y[count:])


@cache
def firings(count: int = 1500, length: int = 40) -> Samples:
    """Scaled temperature of a kiln at equal times, and the heat work above what melts a glaze."""
    generator = torch.Generator().manual_seed(72)
    peak, ramp, hold = torch.rand(3, count, 1, generator=generator)
    peak, ramp, hold = 0.7 + 0.5 * peak, 8 + 10 * ramp, 4 + 10 * hold
    t = torch.arange(float(length))
    rising, falling = t / ramp, torch.exp(-(t - ramp - hold) / 6)
    heat = peak * torch.minimum(rising, falling).clamp(max=1)
    work = (heat - 0.6).relu().sum(1)
    x = 2 * heat - 1 + 0.05 * torch.randn(count, length, generator=generator)
    work = work + 0.05 * work.std() * torch.randn(count, generator=generator)
    return scaled_targets(split(x[..., None], work))


@cache
def glazes(count: int = 1600) -> Samples:
    """Grams of four powders, ppm of cobalt, degrees, seconds of hold and mm: how they expand."""
    generator = torch.Generator().manual_seed(73)
    z = torch.randn(count, 8, generator=generator)
    level = torch.tensor([3000.0, 2000.0, 1200.0, 900.0, 2500.0, 1220.0, 1500.0, 0.9])
    spread = torch.tensor([700.0, 500.0, 300.0, 250.0, 700.0, 25.0, 500.0, 0.2])
    y = z[:, 0] - 0.8 * z[:, 1] + 0.7 * z[:, 2] * z[:, 5] + 0.6 * torch.sin(2 * z[:, 3])
    y = y + 0.8 * z[:, 7] + 0.4 * z[:, 4].square()
    y = y + 0.1 * torch.randn(count, generator=generator)
    return scaled_targets(split(level + spread * z, y))


@cache
def mixtures(count: int = 1600) -> Samples:
    """Shares of eight oxides that add up to one, most of it silica: at which they melt."""
    generator = torch.Generator().manual_seed(74)
    parts = torch.tensor([2.0, 0.8, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0])
    parts = (parts + 0.6 * torch.randn(count, 8, generator=generator)).exp()
    x = parts / parts.sum(1, keepdim=True)
    y = x[:, 0].log() - 2 * x[:, 2] + 4 * x[:, 3] * x[:, 1] - x[:, 4].sqrt()
    y = y + 0.1 * y.std() * torch.randn(count, generator=generator)
    return scaled_targets(split(x, y))


@cache
def cracks(count: int = 5000) -> Samples:
    """Twelve measurements of a pot, which tell little of whether it cracks in the kiln."""
    generator = torch.Generator().manual_seed(75)
    x = torch.randn(count, 12, generator=generator)
    logit = 0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.5 * x[:, 2] * x[:, 3]
    y = torch.rand(count, generator=generator) < torch.sigmoid(logit)
    return split(x, y.float())


@cache
def under_a_lamp() -> Samples:
    """Digits in the order of their scans, while the lamp goes from dark to bright.

    The others are scanned at any time.
    """
    generator = torch.Generator().manual_seed(76)
    data = digits()

    age = torch.linspace(-1.5, 1.5, len(data.x))[:, None]
    age_test = 3 * torch.rand(len(data.x_test), 1, generator=generator) - 1.5
    return data.with_inputs(data.x + age, data.x_test + age_test)


@cache
def from_matlab(transposed: bool) -> Samples:
    """Digits of an array of rows, columns and numbers, as such files hold them."""
    images, labels = load_digits(return_X_y=True)
    stored = images.reshape(-1, 8, 8).transpose(1, 2, 0) / 16
    right = stored.transpose(2, 0, 1)[:, None] if transposed else stored.reshape(-1, 1, 8, 8)
    return split(right, labels)
