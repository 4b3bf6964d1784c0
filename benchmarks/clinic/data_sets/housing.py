"""Flats, rents, rooms, meters and adverts, all made up."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

DISTRICTS, HEATINGS = 30, 5
WORDS, START, TOPICS = 300, 1, 5
ROOMS = 5
HOURS = 48


class Flats(NamedTuple):
    """District, kind of heating, numbers of deviation 1, and the rent in hundreds of euros."""

    district: Tensor
    heating: Tensor
    numbers: Tensor
    rent: Tensor


@cache
def flats(count: int = 4000) -> tuple[Flats, Flats]:
    """Rents grow with the area, more steeply in dear districts; the rest is chance."""
    draw = torch.Generator().manual_seed(8311)
    price = 1 + 0.35 * torch.randn(DISTRICTS, generator=draw)
    extra = 0.4 * torch.randn(HEATINGS, generator=draw)
    district = torch.randint(DISTRICTS, (count,), generator=draw)
    heating = torch.randint(HEATINGS, (count,), generator=draw)
    numbers = torch.randn(count, 6, generator=draw)
    area, age, floor, balcony = numbers[:, :4].unbind(1)
    old = 0.3 * (age**2 - 1) - 0.2 * age
    log_rent = 2.1 + 0.35 * area * price[district] + 0.25 * price[district] + 0.15 * old
    log_rent = log_rent + 0.1 * extra[heating] + 0.08 * floor * balcony
    rent = (log_rent + 0.1 * torch.randn(count, generator=draw)).exp()
    everything = (district, heating, numbers, rent)
    known, held = (
        Flats(*(t[part] for t in everything)) for part in (slice(3000), slice(3000, None))
    )
    return known, held


@cache
def rents() -> Samples:
    """Numbers of flats alone, with the district's usual price among them."""
    known, held = flats()
    level = torch.zeros(DISTRICTS).index_add(0, known.district, known.rent)
    level = level / torch.bincount(known.district, minlength=DISTRICTS)
    level = (level - level.mean()) / level.std()
    x, x_test = (torch.cat([p.numbers, level[p.district, None]], 1) for p in (known, held))
    return Samples(x, known.rent, x_test, held.rent)


@cache
def load_curves(count: int = 1500) -> Samples:
    """Two days of a household's use, hour by hour, of deviation 1, and what it is made of.

    Mornings, evenings, nights, noons and heating have a share each that differs by household.
    """
    draw = torch.Generator().manual_seed(8312)
    hour = torch.arange(24.0)
    bumps = torch.stack([(-((hour - at) ** 2) / 6).exp() for at in (3.0, 8.0, 13.0, 19.0)])
    waves = torch.stack([(6.283 * hour / 24).cos(), (6.283 * hour / 12).sin()])
    base = torch.cat([bumps, 0.6 * waves])
    first = torch.randn(count, len(base), generator=draw)
    second = 0.7 * first + 0.7 * torch.randn(count, len(base), generator=draw)
    curves = torch.cat([first @ base, second @ base], 1)
    curves = curves / curves.std() + 0.2 * torch.randn(count, HOURS, generator=draw)
    return split(curves, curves)


@cache
def heating(count: int = 1600, length: int = 36) -> Samples:
    """Outdoor temperature and a thermostat's state by the hour; the target is the heat needed.

    The walls keep heat, so that the last day counts, the last hours most.
    """
    draw = torch.Generator().manual_seed(8313)
    hour = torch.arange(length)
    start = 24 * torch.rand(count, 1, generator=draw)
    day = (6.283 * (hour + start) / 24).sin()
    walk = 0.4 * torch.randn(count, length, generator=draw).cumsum(1) / length**0.25
    cold = day + walk
    on = (torch.rand(count, length, generator=draw) < 0.5).float()
    keep = 0.85 ** torch.arange(length - 1, -1, -1.0)
    need = ((on * cold) * keep).sum(1) + 0.5 * (cold * keep).sum(1)
    x = torch.stack([cold / cold.std(), 2 * on - 1], -1)
    y = need / need.std() + 0.1 * torch.randn(count, generator=draw)
    return split(x, y - y.mean())


@cache
def humidity(rare: float = 0.03, count: int = 3000, length: int = 24) -> Samples:
    """Humidity and temperature of bathrooms; few of them have mould some weeks later."""
    draw = torch.Generator().manual_seed(8314)
    x = torch.randn(count, length, 2, generator=draw)
    x = x + torch.randn(count, 1, 2, generator=draw)
    wet = (x[..., 0] - 0.5 * x[..., 1]).relu().mean(1)
    risk = wet / wet.std() + 1.0 * torch.randn(count, generator=draw)
    return split(x, (risk > risk.quantile(1 - rare)).long())


@cache
def rare_damage(count: int = 5000) -> Samples:
    """Readings of flats; one in twenty-five has a leaking pipe, and it can be told."""
    draw = torch.Generator().manual_seed(8315)
    x = torch.randn(count, 12, generator=draw)
    leak = x[:, 0] * x[:, 1] + x[:, 2] - 0.5 * x[:, 3].abs()
    leak = leak + 0.15 * torch.randn(count, generator=draw)
    return split(x, (leak > leak.quantile(0.96)).long())


@cache
def adverts(doubtful: float = 0.0, count: int = 2400, length: int = 24) -> Samples:
    """Numbers of words; the first is that of a start, and the target is one of five kinds.

    A share of the labels to train on is drawn by chance.
    """
    draw = torch.Generator().manual_seed(8316)
    kind = torch.randint(TOPICS, (count,), generator=draw)
    common = 2 + torch.randint(WORDS - 102, (count, length), generator=draw)
    own = WORDS - 100 + 20 * kind[:, None] + torch.randint(20, (count, length), generator=draw)
    words = torch.where(torch.rand(count, length, generator=draw) < 0.25, own, common)
    words[:, 0] = START
    samples = split(words, kind)
    chance = torch.rand(len(samples.y), generator=draw) < doubtful
    wrong = torch.randint(TOPICS, samples.y.shape, generator=draw)
    samples = samples._replace(y=torch.where(chance, wrong, samples.y))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def room_photos(count: int = 1600, size: int = 16) -> Samples:
    """Walls in two colours with a window, a door, a table, a lamp or tiles; RGB from 0 to 1."""
    draw = torch.Generator().manual_seed(8317)
    kind = torch.randint(ROOMS, (count,), generator=draw)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    top, left = (1 + torch.randint(6, (2, count, 1, 1), generator=draw)).unbind(0)
    down, right = row - top, column - left
    window = (down >= 0) & (down < 6) & (right >= 0) & (right < 8) & (down != 3) & (right != 4)
    door = (down >= 0) & (right >= 0) & (right < 4)
    table = ((down == 4) | (down == 5)) & (right >= 0) & (right < 9)
    table = table | ((down > 5) & ((right == 1) | (right == 7)))
    lamp = (down - 3) ** 2 + (right - 3) ** 2 < 8
    tiles = ((row + top) // 2 + (column + left) // 2) % 2 == 0
    shapes = torch.stack([window, door, table, lamp, tiles], 1)
    shape = shapes[torch.arange(count), kind][:, None].float()
    back, front = torch.rand(2, count, 3, 1, 1, generator=draw).unbind(0)
    front = torch.where((front - back).abs() < 0.3, (back + 0.5) % 1, front)
    photo = back * (1 - shape) + front * shape
    photo = photo + 0.05 * torch.randn(photo.shape, generator=draw)
    return split(photo.clamp(0, 1), kind)


@cache
def plans(contrasts: float, count: int = 500, size: int = 24) -> Samples:
    """Scans of floor plans, and where the walls are; furniture has thinner and shorter lines.

    The contrast of a scan is drawn between 1 and its ``contrasts``-th part.
    """
    draw = torch.Generator().manual_seed(8318)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    at = torch.randint(3, size - 4, (4, count, 1, 1), generator=draw)
    walls = ((row - at[0]).abs() < 2).expand(-1, -1, size)
    walls = walls | ((column - at[1]).abs() < 2) & (row > at[0])
    thin = (row == at[2]) & (column > at[3]) | (column == at[3]) & (row < at[2])
    ink = torch.where(walls, 1.0, torch.where(thin, 0.9, 0.0))
    ink = ink + 0.2 * torch.randn(ink.shape, generator=draw)
    u = torch.rand(2, count, 1, 1, generator=draw)
    scan = contrasts ** -u[0] * ink + 0.5 * u[1]
    return split(scan[:, None], walls[:, None].float())


@cache
def furnished(flats: int = 60, photos: int = 12, width: int = 20) -> tuple[Tensor, Tensor]:
    """Features of photos, and of which flat each is; light and angle differ."""
    draw = torch.Generator().manual_seed(8319)
    style = torch.randn(flats, 6, generator=draw)
    flat = torch.arange(flats).repeat_interleave(photos)
    hidden = torch.cat([style[flat], 2.0 * torch.randn(len(flat), 6, generator=draw)], 1)
    features = hidden @ torch.randn(12, width, generator=draw) / 12**0.5
    features = features + 0.1 * torch.randn(features.shape, generator=draw)
    return features, flat


@cache
def hours_ahead(count: int = 1800) -> Samples:
    """Two days of a house's use, and the six hours that follow, with bursts."""
    draw = torch.Generator().manual_seed(8320)
    hour = torch.arange(HOURS + 6)
    start = torch.randint(24, (count, 1), generator=draw)
    day = (6.283 * (hour + start) / 24).sin() + 0.5 * (6.283 * (hour + start) / 8).cos()
    size = 0.5 + torch.rand(count, 1, generator=draw)
    noise = torch.rand(count, HOURS + 6, generator=draw).clamp(1e-4, 1 - 1e-4)
    series = size * day - (-noise).log1p() / 3
    return split(series[:, :HOURS], series[:, HOURS:])
