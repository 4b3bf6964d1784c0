"""Data of a vineyard: plots, vats, leaves, numbers on bottles, all made up or put on a canvas."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, digit_images, split


@cache
def harvests(years: int = 30, plots: int = 60) -> tuple[Tensor, Tensor]:
    """Eight standardized columns and the yield, each by year and by plot."""
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(years, plots, 8, generator=generator)
    y = x[..., 0] + torch.sin(2 * x[..., 1]) + 0.7 * x[..., 2] * x[..., 3] - 0.5 * x[..., 4]
    return x, y + 0.2 * torch.randn(years, plots, generator=generator)


@cache
def ferments(count: int = 3000) -> Samples:
    """Twelve readings of a vat in their own units; the target has a deviation of about one."""
    generator = torch.Generator().manual_seed(12)
    z = torch.randn(count, 12, generator=generator)
    y = 0.6 * z[:, :4].sum(1) / 2 + torch.tanh(z[:, 4] * z[:, 5]) + 0.5 * z[:, 6].abs()
    scale = torch.tensor([5.0, 40.0, 0.3, 2.0, 10.0, 1.0, 6.0, 0.1, 20.0, 3.0, 1.5, 8.0])
    level = torch.tensor([20.0, 1040.0, 3.4, 7.0, 50.0, 2.0, 9.0, 0.5, 90.0, 12.0, 4.0, 30.0])
    return split(level + scale * z, y + 0.1 * torch.randn(count, generator=generator))


@cache
def bottle_numbers() -> Samples:
    """A digit in the lower right part of 20x20 pixels of paper."""

    def placed(digits: Tensor, seed: int) -> Tensor:
        noise = torch.randn(len(digits), 1, 20, 20, generator=torch.Generator().manual_seed(seed))
        canvas = 0.05 * noise
        canvas[..., 11:19, 11:19] += digits
        return canvas

    data = digit_images()
    return data.with_inputs(placed(data.x, 1), placed(data.x_test, 2))


@cache
def mildew(count: int = 5000) -> Samples:
    """Weather and leaf readings; about one row in twenty is ill."""
    generator = torch.Generator().manual_seed(13)
    x = torch.randn(count, 16, generator=generator)
    risk = 1.5 * x[:, 0] + 1.5 * x[:, 1] + 1.2 * x[:, 2] * x[:, 3] - x[:, 4]
    risk = risk + 0.4 * torch.randn(count, generator=generator)
    return split(x, (risk > risk.quantile(0.95)).long())


@cache
def ripening(count: int = 1500, length: int = 30, ahead: int = 5) -> Samples:
    """Sugar by day, as deviations of it, and how it goes on for five days."""
    generator = torch.Generator().manual_seed(14)
    start, rate, level, phase = torch.rand(4, count, 1, generator=generator)
    days = torch.arange(length + ahead) / length
    curve = (1 + level) * torch.sigmoid((4 + 4 * rate) * (days - 0.3 - 0.5 * start))
    curve = curve + 0.25 * torch.sin(14 * days + 6.3 * phase) - 0.7
    noisy = curve + 0.04 * torch.randn(curve.shape, generator=generator)
    return split(noisy[:, :length, None], curve[:, length:])


@cache
def ledgers(count: int = 4000, pairs: int = 6, names: int = 16) -> tuple[Samples, int]:
    """Pairs of vat and grape, and a vat that is asked for; the answer is its grape."""
    generator = torch.Generator().manual_seed(15)
    order = torch.rand(count, names, generator=generator).argsort(1)[:, :pairs]
    grapes = torch.randint(8, (count, pairs), generator=generator)
    asked = torch.randint(pairs, (count,), generator=generator)
    rows = torch.arange(count)
    x = torch.cat([order, grapes, order[rows, asked][:, None]], 1)
    data = split(x, grapes[rows, asked])
    return data.with_inputs(data.x.long(), data.x_test.long()), pairs


@cache
def heavy_harvests(count: int = 3000) -> Samples:
    """Yields whose spread, of thick tails, grows with the first of six columns."""
    generator = torch.Generator().manual_seed(16)
    x = 2 * torch.rand(count, 6, generator=generator) - 1
    # Student's t with three degrees of freedom.
    chi = torch.randn(3, count, generator=generator).square().mean(0).sqrt()
    noise = torch.randn(count, generator=generator) / chi
    y = 2 * x[:, 1] + torch.sin(3 * x[:, 2]) + (0.3 + 0.6 * (x[:, 0] + 1)) * noise
    return split(x, y)


@cache
def thirst(count: int = 4000) -> tuple[Tensor, Tensor]:
    """Readings of soil and sky, and which of four valves would have been best."""
    generator = torch.Generator().manual_seed(17)
    x = torch.randn(count, 6, generator=generator)
    worth = x @ torch.randn(6, 4, generator=generator) + torch.sin(2 * x[:, :4])
    return x, worth.argmax(1)


def ring(count: int, generator: torch.Generator | None = None) -> Tensor:
    """Points on a noisy circle of radius 1."""
    angle = 6.2832 * torch.rand(count, generator=generator)
    radius = 1 + 0.05 * torch.randn(count, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
