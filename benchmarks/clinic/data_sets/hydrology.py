"""Made-up rivers: catchments with their weather and flow, flood maps, gauges, and soils."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split, standardized

BASINS, DAYS, SPLIT = 24, 660, 420


class Records(NamedTuple):
    """Daily rain (mm), temperature (°C) and flow (mm) of basins, and what each basin is like."""

    rain: Tensor
    temperature: Tensor
    flow: Tensor
    attributes: Tensor


@cache
def records() -> Records:
    """Of a snow store, and a quick and a slow reservoir, whose constants are the attributes."""
    generator = torch.Generator().manual_seed(7)
    attributes = torch.rand(BASINS, 3, generator=generator)
    wet = torch.rand(BASINS, DAYS, generator=generator) < 0.3
    amount = -8.0 * torch.rand(BASINS, DAYS, generator=generator).clamp(min=1e-4).log()
    rain = amount * wet
    season = 8.0 - 12.0 * torch.cos(torch.arange(DAYS) * 6.283 / 365)
    temperature = season + 3.0 * torch.randn(BASINS, DAYS, generator=generator)
    share, quick, slow = (
        0.3 + 0.6 * attributes[:, 0], 0.3 + 0.5 * attributes[:, 1], 0.01 + 0.05 * attributes[:, 2],
    )  # fmt: skip
    snow, upper, lower = torch.zeros(BASINS), torch.zeros(BASINS), torch.full((BASINS,), 20.0)
    flows = []
    for day in range(DAYS):
        cold = temperature[:, day] < 0
        snow = snow + rain[:, day] * cold
        melt = torch.minimum(snow, 2.5 * temperature[:, day].relu())
        snow = snow - melt
        water = rain[:, day] * ~cold + melt
        upper, lower = upper + share * water, lower + (1 - share) * water
        flows.append(quick * upper + slow * lower)
        upper = upper * (1 - quick)
        lower = (lower * (1 - slow) - 0.08 * temperature[:, day].relu()).clamp(min=0)
    flow = torch.stack(flows, 1)
    flow = flow * (1 + 0.05 * torch.randn(BASINS, DAYS, generator=generator))
    return Records(rain, temperature, flow, attributes)


@cache
def windows(length: int = 30, step: int = 2) -> tuple[Samples, Tensor, Tensor]:
    """Scaled weather of some days and the flow on the last; and whose they are, twice.

    The first 420 days are to train on.
    """
    rain, temperature, flow, _ = records()
    weather = torch.stack([rain / 6.0, (temperature - 8) / 9], -1)
    pieces = weather.unfold(1, length, step).transpose(2, 3)
    last = torch.arange(length - 1, DAYS, step)[: pieces.shape[1]]
    early = last < SPLIT
    x, y = pieces[:, early].flatten(0, 1), flow[:, last[early]].flatten()
    x_test, y_test = pieces[:, ~early].flatten(0, 1), flow[:, last[~early]].flatten()
    owner, owner_test = (
        torch.arange(BASINS).repeat_interleave(int(count))
        for count in (early.sum(), (~early).sum())
    )
    return scaled_targets(Samples(x, y, x_test, y_test)), owner, owner_test


@cache
def hydrographs(length: int = 60) -> Samples:
    """Scaled weather of sixty days, and the flow on all of them."""
    rain, temperature, flow, _ = records()
    weather = torch.stack([rain / 6.0, (temperature - 8) / 9], 1)
    pieces = weather.unfold(2, length, 10).permute(0, 2, 1, 3).flatten(0, 1)
    flows = flow.unfold(1, length, 10).flatten(0, 1)
    return scaled_targets(split(pieces, flows))


@cache
def panel() -> tuple[Tensor, Tensor]:
    """What is known of each day and basin, days first, and the flow's logarithm, basins first."""
    rain, temperature, flow, attributes = records()
    sums = [
        F.avg_pool1d(F.pad(rain[:, None], (days - 1, 0)), days, 1)[:, 0]
        for days in (1, 2, 4, 10, 40)
    ]
    dynamic = torch.stack([*sums, temperature], -1).transpose(0, 1)
    x = torch.cat([dynamic, attributes.expand(DAYS, -1, -1)], -1)
    return x[40:], (flow[:, 40:] + 0.1).log()


@cache
def basin_days() -> Samples:
    """The panel's days, rightly paired and standardised."""
    x, y = panel()
    return scaled_targets(standardized(split(x.flatten(0, 1), y.T.flatten())))


@cache
def ungauged() -> Samples:
    """Six columns in their units, and the logarithm of the largest flow of a year."""
    generator = torch.Generator().manual_seed(12)
    u = torch.rand(1500, 6, generator=generator)
    rain, area = 20 + 80 * u[:, 0], 1e7 * 30 ** u[:, 1]
    slope, runoff = 0.002 * 30 ** u[:, 2], 0.1 + 0.8 * u[:, 3]
    pressure, length = 9e4 + 1e4 * u[:, 4], 1e3 * 20 ** u[:, 5]
    y = 2 * (rain.log() + runoff.log()) + 0.4 * area.log() + 0.35 * slope.log()
    y = y - 0.3 * length.log() + 0.2 * torch.randn(1500, generator=generator)
    x = torch.stack([rain, area, slope, runoff, pressure, length], 1)
    return scaled_targets(split(x, y))


@cache
def floods(count: int = 480, size: int = 24) -> Samples:
    """Heights, the water's level and a river as channels, and water where it is low and near."""
    generator = torch.Generator().manual_seed(21)
    rough = torch.randn(count, 1, size // 4, size // 4, generator=generator)
    height = F.interpolate(rough, size=size, mode="bicubic")
    height = height + 0.1 * torch.randn(count, 1, size, size, generator=generator)
    column = torch.arange(size)
    middle = size / 2 + 5 * torch.sin(column / 4 + 6.3 * torch.rand(count, 1, generator=generator))
    away = (column[None, :, None] - middle[:, None, :]).abs()[:, None] / size
    level = torch.rand(count, 1, 1, 1, generator=generator).expand_as(height)
    river = (away < 0.05).float()
    water = (height + 4 * away < 0.8 * level).float()
    return split(torch.cat([height, 2 * level - 1, river], 1), water[:, 0])


@cache
def thaws(length: int = 90, count: int = 1600) -> Samples:
    """Snowfall in the first month, and rain until the flood, whose peak hangs on the snow alone."""
    generator = torch.Generator().manual_seed(30)
    snowy = 2 * torch.rand(count, 1, generator=generator)
    fallen = torch.rand(count, length, generator=generator)
    month = (torch.arange(length) < 30).float()
    x = torch.stack([snowy * fallen * month, fallen * (1 - month)], -1)
    y = x[..., 0].sum(1) * (1 + 0.05 * torch.randn(count, generator=generator))
    return scaled_targets(split(x, y))


@cache
def wet_days() -> Samples:
    """Ten columns of yesterday's weather, and the rain in mm, which is 0 on three days of four."""
    generator = torch.Generator().manual_seed(41)
    x = torch.randn(3000, 10, generator=generator)
    chance = torch.sigmoid(1.4 * x[:, 0] + x[:, 1] * x[:, 2] - 0.8 * x[:, 3] - 1.8)
    wet = torch.rand(3000, generator=generator) < chance
    amount = (
        1 + 0.6 * x[:, 0] - 0.4 * x[:, 4] + 0.6 * torch.randn(3000, generator=generator)
    ).exp()
    return split(x, wet * amount)


GAUGES = 30


@cache
def network() -> tuple[Samples, Tensor]:
    """Rain, soil and area at each gauge of a river, the flow there, and who flows into whom."""
    generator = torch.Generator().manual_seed(52)
    into = [int(torch.randint(max(0, i - 4), i, (), generator=generator)) for i in range(1, GAUGES)]
    links = torch.zeros(GAUGES, GAUGES)
    links[torch.tensor(into), torch.arange(1, GAUGES)] = 1.0
    x = torch.rand(900, GAUGES, 3, generator=generator)
    flow = x[..., 0] * (0.2 + x[..., 1]) * (0.3 + x[..., 2])
    for i in range(GAUGES - 1, 0, -1):
        flow[:, into[i - 1]] += 0.9 * flow[:, i]
    flow = flow * (1 + 0.05 * torch.randn(900, GAUGES, generator=generator))
    samples = split(2 * x - 1, flow.log())
    return scaled_targets(samples), links


@cache
def stations(count: int = 20) -> tuple[Tensor, Tensor]:
    """Standardised levels of gauges that three causes drive; a third of their variance is noise."""
    generator = torch.Generator().manual_seed(63)
    causes = torch.randn(2400, 3, generator=generator) @ torch.randn(3, count, generator=generator)
    levels = causes / causes.std(0) + 0.7 * torch.randn(2400, count, generator=generator)
    levels = levels / levels.std(0)
    return levels[:1800], levels[1800:]


@cache
def soils() -> Samples:
    """Sand, silt, clay, density and carbon of 200 soils, and the water held at five suctions."""
    generator = torch.Generator().manual_seed(74)
    texture = (1.5 * torch.randn(200, 3, generator=generator)).softmax(1)
    density = 1.1 + 0.5 * torch.rand(200, 1, generator=generator)
    carbon = 4 * torch.rand(200, 1, generator=generator) ** 2
    suction = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.2])
    full = 0.9 - 0.35 * density + 0.02 * carbon
    fall = 0.4 + 1.2 * texture[:, :1] - 0.3 * texture[:, 2:]
    held = full * (0.15 * texture[:, 2:] + torch.sigmoid(2.0 - fall * (1 + suction)))
    held = held + 0.02 * torch.randn(200, 5, generator=generator)
    samples = standardized(split(torch.cat([texture, density, carbon], 1), held))
    return scaled_targets(samples)


@cache
def inflows(count: int = 900, days: int = 50) -> tuple[Tensor, Tensor]:
    """What flows into a reservoir daily, in parts of its volume: dry spells and floods."""
    generator = torch.Generator().manual_seed(85)
    found, wet = [], torch.rand(count, generator=generator)
    for _ in range(days):
        wet = 0.9 * wet + 0.1 * 2 * torch.rand(count, generator=generator) ** 2
        storm = torch.rand(count, generator=generator) < 0.08
        found.append(0.03 * wet + 0.25 * storm * torch.rand(count, generator=generator))
    flow = torch.stack(found, 1)
    return flow[:600], flow[600:]
