"""What plants, grids, meters and batteries record; all of it is made up."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split, standardized


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def appliances(count: int = 1600) -> Samples:
    """Two periods of the current of six appliances, in amperes, told apart by their harmonics."""
    g = generator_of(11)
    time = torch.linspace(0, 4 * torch.pi, 64)
    orders = torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0])
    strength = torch.rand(6, 5, generator=g) / orders.sqrt()
    lag = 6.3 * torch.rand(6, 5, generator=g)
    y = torch.randint(6, (count,), generator=g)
    amplitudes = strength[y] * (1 + 0.25 * torch.randn(count, 5, generator=g))
    lags = lag[y] + 0.25 * torch.randn(count, 5, generator=g)
    waves = torch.sin(orders[None, :, None] * time + lags[..., None])
    x = (amplitudes[..., None] * waves).sum(1) + 0.25 * torch.randn(count, 64, generator=g)
    return split(x[:, None], y)


@cache
def customers(count: int = 6000, share: float = 0.02) -> Samples:
    """Daily use of eight weeks against its mean; a few bypass their meter from some day on."""
    g = generator_of(12)
    days = torch.arange(56)
    weekend = 0.15 * torch.rand(count, 1, generator=g) * (days % 7 >= 5)
    use = 1 + weekend + 0.25 * torch.randn(count, 56, generator=g)
    y = (torch.rand(count, generator=g) < share).long()
    start = torch.randint(14, 42, (count, 1), generator=g)
    factor = 0.72 + 0.15 * torch.rand(count, 1, generator=g)
    away = torch.randint(10, 60, (count, 1), generator=g)
    holiday = (days >= away) & (days < away + 10)
    use = use * torch.where((y[:, None] == 1) & (days >= start), factor, 1.0)
    use = use * torch.where(holiday, 0.75, 1.0)
    x = (use / use.mean(1, keepdim=True) - 1) / 0.25
    return split(x[:, None], y)


@cache
def inverters(hours: int = 32) -> Samples:
    """A plant's four sizes and eight readings, which lie about the level that the sizes give.

    The samples to train on are ordered by plants, those to measure on are of other plants.
    """
    g = generator_of(13)
    plants = 80
    sizes = torch.randn(plants, 4, generator=g)
    level = sizes @ (4.0 * torch.randn(4, 8, generator=g))
    y = torch.randint(3, (plants, hours), generator=g)
    fault = 1.5 * torch.randn(3, 8, generator=g)
    readings = level[:, None] + fault[y] + 0.7 * torch.randn(plants, hours, 8, generator=g)
    x = torch.cat([sizes[:, None].expand(-1, hours, -1), readings], 2)
    return Samples(x[:50].flatten(0, 1), y[:50].flatten(), x[50:].flatten(0, 1), y[50:].flatten())


def smooth(count: int, width: int, seed: int, keep: float = 0.9) -> Tensor:
    """Columns that forget a tenth of their past each hour, of deviation 1."""
    noise = torch.randn(count, width, generator=generator_of(seed))
    found, scale = [noise[0]], (1 - keep**2) ** 0.5
    for row in noise[1:]:
        found.append(keep * found[-1] + scale * row)
    return torch.stack(found)


@cache
def feeder(steps: int = 6) -> Samples:
    """A day of net load, temperature and sun at a feeder, and its net load of the next hours.

    Roofs feed back at noon. The load is brought to -1..1 by its extremes.
    """
    count = 2400
    hour = torch.arange(count) % 24
    weather = smooth(count, 2, 14, 0.97)
    sky = (0.6 + 0.25 * weather[:, 0]).clamp(0.1, 1.0)
    sun = torch.sin((hour - 6) / 12 * torch.pi).clamp(min=0) * sky
    evening = torch.exp(-(((hour - 19) / 2.5) ** 2)) + 0.5 * torch.exp(-(((hour - 8) / 2) ** 2))
    noise = torch.randn(count, generator=generator_of(15))
    load = 0.4 + evening + 0.1 * weather[:, 1] - 1.8 * sun + 0.06 * noise
    load = 2 * (load - load.min()) / (load.max() - load.min()) - 1
    columns = torch.stack([load, weather[:, 1], sun], 1)
    windows = columns.unfold(0, 24 + steps, 1).transpose(1, 2)
    return split(windows[:, :24], windows[:, 24:, 0])


@cache
def turbines(count: int = 2000) -> Samples:
    """Wind, air and machine of a turbine, standardized, and its power in units of 100 kW."""
    g = generator_of(16)
    x = torch.randn(count, 8, generator=g)
    wind = 8 + 3 * x[:, 0] + 0.5 * x[:, 1]
    density = 1.2 + 0.05 * x[:, 2]
    curve = 25 * torch.sigmoid((wind - 9) / 1.3) * density / 1.2
    aligned = 1 - 0.1 * x[:, 3].square().clamp(max=4)
    y = curve * aligned + 0.5 * torch.randn(count, generator=g)
    return split(x, y.clamp(min=0))


@cache
def heat_pumps() -> Samples:
    """Traces of two sensors over a start; three states that overlap. Few are labelled."""
    g = generator_of(17)
    count = 900
    y = torch.randint(3, (count,), generator=g)
    time = torch.linspace(0, 1, 32)
    rise = 2.0 + 1.8 * y[:, None] + 1.0 * torch.randn(count, 1, generator=g)
    shape = 1 - torch.exp(-rise * time)
    x = torch.stack([shape, 1 - shape.square()], 1) * 2 - 1
    return split(x + 0.4 * torch.randn(count, 2, 32, generator=g), y, 0.15)


@cache
def wind_farm(shift: int) -> Samples:
    """The weather of each hour and the standardized power of a farm, written ``shift`` later."""
    count = 2600
    weather = smooth(count, 8, 18, 0.75)
    speed = 1.2 * weather[:, 0] + 0.6 * weather[:, 1] - 0.3 * weather[:, 2]
    noise = torch.randn(count, generator=generator_of(19))
    power = torch.sigmoid(1.5 * speed) + 0.05 * noise
    right = scaled_targets(split(weather, power))
    wrong = scaled_targets(split(weather, power.roll(shift)))
    return right._replace(y=wrong.y)


@cache
def household(count: int = 1800, length: int = 64) -> Samples:
    """Windows of a house's power, and the power of its refrigerator at the middle, in kW."""
    g = generator_of(20)
    time = torch.arange(length)
    period = torch.randint(24, 40, (count, 1), generator=g)
    start = torch.randint(40, (count, 1), generator=g)
    level = 0.13 + 0.03 * torch.rand(count, 1, generator=g)
    fridge = level * ((time + start) % period < period * 0.4)
    total = 0.1 + 0.1 * torch.rand(count, 1, generator=g) + fridge
    for power, rate, duration in ((2.0, 0.5, 4), (0.8, 0.6, 10), (0.06, 0.9, 30)):
        begin = torch.randint(-duration, length, (count, 1), generator=g)
        runs = torch.rand(count, 1, generator=g) < rate
        total = total + power * (runs & (time >= begin) & (time < begin + duration))
    total = total + 0.02 * torch.randn(count, length, generator=g)
    return split(total[:, None], fridge[:, length // 2])


@cache
def modules(count: int = 900, size: int = 24) -> Samples:
    """Infrared pictures of panels with warm frames; some cells are hot, which are the masks."""
    g = generator_of(21)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    slope = torch.randn(count, 2, 1, 1, generator=g) / size
    x = slope[:, :1] * rows + slope[:, 1:] * columns
    x = x + 0.5 * ((rows % 6 == 0) | (columns % 6 == 0))
    y = torch.zeros(count, 1, size, size)
    for _ in range(3):
        top, left = torch.randint(size // 6, (2, count, 1, 1, 1), generator=g) * 6
        there = torch.rand(count, 1, 1, 1, generator=g) < 0.4
        cell = (rows > top) & (rows < top + 6) & (columns > left) & (columns < left + 6)
        y = torch.maximum(y, (cell & there).float())
    return split(x + 1.0 * y + 0.6 * torch.randn(count, 1, size, size, generator=g), y)


@cache
def grids(count: int = 900, buses: int = 16) -> Samples:
    """Radial grids of 16 buses: each bus's injection and its lines, and its drop of voltage.

    A sample has a row for each bus: injection, whether it is fed by the substation, and its row
    of the matrix of neighbours.
    """
    g = generator_of(22)
    near = torch.zeros(count, buses, buses)
    for bus in range(1, buses):
        other = (torch.rand(count, generator=g) * bus).long()
        near[torch.arange(count), bus, other] = 1.0
        near[torch.arange(count), other, bus] = 1.0
    injection = torch.randn(count, buses, 1, generator=g)
    shared = near / near.sum(2, keepdim=True)
    drop = injection + 1.5 * (shared @ injection) + 0.8 * (shared @ (shared @ injection)).abs()
    source = torch.zeros(count, buses, 1)
    source[:, 0] = 1.0
    drop = drop * (1 - source) + 0.1 * torch.randn(count, buses, 1, generator=g)
    samples = split(torch.cat([injection, source, near], 2), drop.squeeze(2))
    return scaled_targets(samples)


@cache
def disturbances(count: int = 3000) -> Samples:
    """Frequency and voltage after an event; four kinds, of which the last is one in thirty."""
    g = generator_of(23)
    y = torch.multinomial(torch.tensor([0.77, 0.13, 0.07, 0.03]), count, True, generator=g)
    time = torch.arange(32) - torch.randint(4, 12, (count, 1), generator=g)
    after = (time >= 0).float()
    size = 0.8 + 0.6 * torch.rand(count, 1, generator=g)
    fall = -size * after * (1 - torch.exp(-time / 5))
    swing = size * after * torch.exp(-time / 12) * torch.sin(time / 2)
    dip = -size * ((time >= 0) & (time < 5))
    nothing = torch.zeros_like(fall)
    frequency = torch.stack([nothing, fall, nothing, swing], 1)
    voltage = torch.stack([nothing, nothing, dip, swing], 1)
    picked = torch.stack([frequency, voltage], 3)[torch.arange(count), y]
    return split(picked + 0.25 * torch.randn(count, 32, 2, generator=g), y)


@cache
def cells() -> Samples:
    """What 90 batteries' first cycles tell of the logarithm of their lives, and 300 others."""
    g = generator_of(24)
    x = torch.randn(390, 24, generator=g)
    x[:, 12:] = 0.7 * x[:, :12] + 0.7 * x[:, 12:]
    y = 6.5 + 0.3 * x[:, 0] - 0.25 * x[:, 1] + 0.2 * x[:, 2].clamp(max=0) + 0.15 * x[:, 13]
    y = y + 0.2 * torch.randn(390, generator=g)
    return scaled_targets(standardized(split(x, y, 90 / 390)))


@cache
def ramps(count: int = 5000) -> Samples:
    """Ten forecasts and the change of a farm's power in an hour, mostly noise of any width."""
    g = generator_of(25)
    x = torch.randn(count, 10, generator=g)
    mean = 0.5 * torch.tanh(x[:, 0]) + 0.3 * x[:, 1] * (x[:, 2] > 0)
    width = 0.6 * torch.exp(0.4 * x[:, 3])
    return split(x, mean + width * torch.randn(count, generator=g))
