"""What a farm records: beans, leaves, the collars of cows, milk and harvests."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def beans(count: int = 3000) -> Samples:
    """Area, perimeter, axes and convex area in pixels, six shapes near 1; one of seven sorts."""
    generator = torch.Generator().manual_seed(71)

    def noise(scale: float) -> Tensor:
        return 1 + scale * torch.randn(count, generator=generator)

    y = torch.randint(7, (count,), generator=generator)
    size = torch.tensor([42, 46, 38, 33, 70, 44, 50.0])[y] * 1000 * noise(0.11)
    ratio = torch.tensor([1.5, 1.9, 1.25, 1.45, 1.65, 1.35, 1.75])[y] * noise(0.045)
    solid = torch.tensor([0.985, 0.982, 0.99, 0.987, 0.98, 0.975, 0.99])[y] * noise(0.002)
    minor = (size * 4 / torch.pi / ratio).sqrt()
    major = minor * ratio
    perimeter = torch.pi * (0.75 * (major + minor) - (major * minor).sqrt() / 2) * noise(0.01)
    round_ = 4 * torch.pi * size / perimeter**2
    columns = [
        size, perimeter, major, minor, size / solid, ratio, (1 - ratio**-2).clamp(min=0).sqrt(),
        solid, round_, 0.72 * noise(0.05), (4 * size / torch.pi).sqrt() / major,
    ]  # fmt: skip
    return split(torch.stack(columns, 1), y)


@cache
def leaves(count: int = 1800, size: int = 16) -> tuple[Samples, Tensor, Tensor]:
    """Photographs of leaves, RGB from 0 to 1: sound, spotted, striped, burnt or mottled.

    Beside them the share of each leaf that is sick, to train on and to measure on.
    """
    generator = torch.Generator().manual_seed(72)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    y = torch.randint(5, (count,), generator=generator)
    axis = torch.linspace(-1, 1, size)
    row = axis[None, :, None] - 0.4 * (drawn(count, 1, 1) - 0.5)
    column = axis[None, None, :] - 0.4 * (drawn(count, 1, 1) - 0.5)
    inside = (row**2 / 0.8 + column**2 / (0.3 + 0.3 * drawn(count, 1, 1))) < 1
    spots = torch.zeros(count, size, size, dtype=torch.bool)
    for _ in range(4):
        near = (row - drawn(count, 1, 1) + 0.5) ** 2 + (column - drawn(count, 1, 1) + 0.5) ** 2
        spots |= near < 0.03
    slope = 2 * drawn(count, 1, 1) - 1
    stripes = ((row + slope * column) * 8 + 6 * drawn(count, 1, 1)).sin() > 0.5
    burnt = (row > 0.5 - 0.5 * drawn(count, 1, 1)).expand_as(spots)
    mottled = drawn(count, size, size) > 0.7
    kinds = torch.stack([torch.zeros_like(spots), spots, stripes, burnt, mottled], 1)
    sick = kinds[torch.arange(count), y] & inside
    green, brown = torch.tensor([0.25, 0.5, 0.2]), torch.tensor([0.5, 0.38, 0.18])
    soil = torch.tensor([0.42, 0.36, 0.3])
    picture = torch.where(sick[..., None], brown, torch.where(inside[..., None], green, soil))
    picture = picture * (0.7 + 0.6 * drawn(count, 1, 1, 1))
    picture = picture + 0.07 * torch.randn(picture.shape, generator=generator)
    share = sick.sum((1, 2)) / inside.sum((1, 2))
    data = split(picture.clamp(0, 1).permute(0, 3, 1, 2), y)
    shares = split(torch.arange(count), share)
    return data, shares.y, shares.y_test


@cache
def collars(count: int = 1500, length: int = 60) -> Samples:
    """Acceleration of a cow's neck, three axes in g: lies, grazes, chews, walks or drinks."""
    generator = torch.Generator().manual_seed(73)
    y = torch.randint(5, (count,), generator=generator)
    time = torch.arange(length) / 10
    pace = torch.tensor([0.2, 1.0, 1.2, 0.9, 1.6])[y] * (
        1 + 0.12 * torch.randn(count, generator=generator)
    )
    phase = 6.3 * torch.rand(count, 1, generator=generator)
    wave = (6.3 * pace[:, None] * time + phase).sin()
    strength = torch.tensor(
        [
            [0.02, 0.02, 0.02],
            [0.2, 0.1, 0.1],
            [0.04, 0.1, 0.05],
            [0.12, 0.12, 0.3],
            [0.1, 0.04, 0.1],
        ]
    )[y] * (1 + 0.3 * torch.randn(count, 1, generator=generator))
    tilt = torch.tensor(
        [[0.2, 0.1, 0.95], [0.6, 0.1, 0.7], [0.25, 0.1, 0.9], [0.3, 0.1, 0.9], [0.7, 0.1, 0.6]]
    )[y]
    tilt = tilt + 0.2 * torch.randn(count, 3, generator=generator)
    x = tilt[:, None] + wave[..., None] * strength[:, None]
    return split(x + 0.08 * torch.randn(x.shape, generator=generator), y)


@cache
def milk(window: int = 28, ahead: int = 7, cows: int = 60, days: int = 250) -> Samples:
    """A cow's milk of four weeks, in its herd's deviations, and of the week that follows."""
    generator = torch.Generator().manual_seed(74)
    best = 32 + 5 * torch.randn(cows, 1, generator=generator)
    day = torch.arange(1.0, days + 1)
    level = best * (day / 55) ** 0.2 * (-0.0035 * (day - 55)).exp()
    ill = (torch.rand(cows, days, generator=generator) < 0.012).float()
    dip = torch.zeros(cows, days)
    for late in range(1, days):
        dip[:, late] = 0.75 * dip[:, late - 1] + 8 * ill[:, late]
    week = (6.3 * day / 7).sin() * 1.2
    series = level - dip + week + 0.8 * torch.randn(cows, days, generator=generator)
    series = (series - series.mean()) / series.std()
    both = series.unfold(1, window + ahead, 9).reshape(-1, window + ahead)
    return split(both[:, :window], both[:, window:])


@cache
def harvests(noise: float = 6.0, count: int = 3000) -> Samples:
    """Rain, warmth, nitrogen, acidity, clay, sowing day and two more, z-scored; dt a hectare."""
    generator = torch.Generator().manual_seed(75)
    x = torch.randn(count, 8, generator=generator)
    rain, warmth, nitrogen, acid, clay, sown = x[:, :6].T
    y = (
        62
        + 9 * nitrogen.tanh() * (1 + 0.5 * rain.tanh())
        - 4 * (rain - 0.3 * clay) ** 2 / (1 + 0.5 * rain**2)
    )
    y = y + 4 * warmth - 2.5 * acid**2 / (1 + 0.3 * acid**2) - 3 * sown * (warmth > 0)
    return split(x, y + noise * torch.randn(count, generator=generator))
